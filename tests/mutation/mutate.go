package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// folders have the packages that are mutated.
var folders = []string{
	"plugins/event", "plugins/payload", "plugins/decode", "plugins/vendors", "plugins/vendors/*",
}

// mutant is one change.
type mutant struct {
	id   int
	path string
	line int
	what string
}

// helpers are what the changed code calls.
const helpers = `package %s

import (
	"cmp"
	"os"
	"strconv"
)

var mutant, _ = strconv.Atoi(os.Getenv("` + variable + `"))

func mutated(id int) bool { return id == mutant }

func mutatedZero[T any](id int, v T) (zero T) {
	if mutated(id) {
		return zero
	}
	return v
}

type mutatedNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float64
}

func mutatedLess[T cmp.Ordered](id int, a, b T) bool    { return a < b || mutated(id) && a == b }
func mutatedMore[T cmp.Ordered](id int, a, b T) bool    { return a > b || mutated(id) && a == b }
func mutatedAtMost[T cmp.Ordered](id int, a, b T) bool  { return a < b || !mutated(id) && a == b }
func mutatedAtLeast[T cmp.Ordered](id int, a, b T) bool { return a > b || !mutated(id) && a == b }

func mutatedSum[T mutatedNumber](id int, a, b T) T {
	if mutated(id) {
		return a - b
	}
	return a + b
}

func mutatedDifference[T mutatedNumber](id int, a, b T) T {
	if mutated(id) {
		return a + b
	}
	return a - b
}

func mutatedProduct[T mutatedNumber](id int, a, b T) T {
	if mutated(id) {
		return a + b
	}
	return a * b
}
`

// calls are the operators that become a call of a helper.
var calls = map[token.Token]struct{ helper, what string }{
	token.LSS: {"mutatedLess", "< to <="},
	token.GTR: {"mutatedMore", "> to >="},
	token.LEQ: {"mutatedAtMost", "<= to <"},
	token.GEQ: {"mutatedAtLeast", ">= to >"},
	token.ADD: {"mutatedSum", "+ to -"},
	token.SUB: {"mutatedDifference", "- to +"},
	token.MUL: {"mutatedProduct", "* to +"},
}

// mutate writes the changed files to the folder, and returns them by the paths of the files
// that they replace.
func mutate(dir string, without map[string]bool) (overlay map[string]string, all []mutant, err error) {
	overlay = map[string]string{}
	add := func(path, text string) error {
		to := filepath.Join(dir, flat(path))
		absolute, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		overlay[absolute] = to
		return os.WriteFile(to, []byte(text), 0o600)
	}
	for _, folder := range folders {
		paths, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			return nil, nil, err
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := newFile(path, without, &all)
			if err != nil {
				return nil, nil, err
			}
			f.file()
			if err := add(path, f.text()); err != nil {
				return nil, nil, err
			}
			if err := add(filepath.Join(filepath.Dir(path), "mutation.go"), fmt.Sprintf(helpers, f.tree.Name)); err != nil {
				return nil, nil, err
			}
		}
	}
	return overlay, all, nil
}

// flat is the name of a changed file.
func flat(path string) string { return strings.ReplaceAll(path, "/", "-") }

// file is a file whose code is changed by edits of its text.
type file struct {
	path    string
	source  []byte
	set     *token.FileSet
	tree    *ast.File
	without map[string]bool
	all     *[]mutant
	edits   []edit
}

// edit replaces the bytes from at to end.
type edit struct {
	at, end int
	text    string
	order   int // of edits at one place
}

func newFile(path string, without map[string]bool, all *[]mutant) (*file, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, source: source, set: token.NewFileSet(), without: without, all: all}
	f.tree, err = parser.ParseFile(f.set, path, source, parser.SkipObjectResolution)
	return f, err
}

// text returns the changed code.
func (f *file) text() string {
	sort.SliceStable(f.edits, func(i, j int) bool {
		a, b := f.edits[i], f.edits[j]
		return a.at < b.at || a.at == b.at && a.order < b.order
	})
	var b strings.Builder
	at := 0
	for _, e := range f.edits {
		b.Write(f.source[at:e.at])
		b.WriteString(e.text)
		at = e.end
	}
	b.Write(f.source[at:])
	return b.String()
}

// new adds a mutant, unless the line of the node must not be changed.
func (f *file) new(n ast.Node, what string) (id int, ok bool) {
	at := f.set.Position(n.Pos())
	for line := at.Line; line <= f.set.Position(n.End()).Line; line++ {
		if f.without[fmt.Sprintf("%s:%d", flat(f.path), line)] {
			return 0, false
		}
	}
	id = len(*f.all) + 1
	*f.all = append(*f.all, mutant{id, f.path, at.Line, what})
	return id, true
}

// around puts text in front of a node and behind it. What encloses other nodes has to be put
// around them first.
func (f *file) around(n ast.Node, before, behind string) {
	order := len(f.edits) + 1
	at, end := f.set.Position(n.Pos()).Offset, f.set.Position(n.End()).Offset
	f.edits = append(f.edits, edit{at, at, before, order}, edit{end, end, behind, -order})
}

func (f *file) file() {
	for _, d := range f.tree.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok != token.VAR {
			continue // constants and types
		}
		ast.Inspect(d, f.node)
	}
}

func (f *file) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.DeclStmt:
		g, ok := n.Decl.(*ast.GenDecl)
		return !ok || g.Tok == token.VAR
	case *ast.ArrayType, *ast.StructType:
		return false
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.KeyValueExpr:
		if _, ok := n.Key.(*ast.Ident); ok {
			f.value(n.Value, "the field is left out")
		}
	case *ast.ReturnStmt:
		for _, result := range n.Results {
			f.value(result, "the result is zero")
		}
	case *ast.BinaryExpr:
		f.binary(n)
	}
	return true
}

// statements lets each statement that computes nothing new be left out.
func (f *file) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || blank(s.Lhs) {
				continue
			}
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && isName(call.Fun, "panic") {
				continue // the function may have no return behind it
			}
		case *ast.IncDecStmt, *ast.BranchStmt:
		default:
			continue
		}
		if id, ok := f.new(s, "the statement is left out"); ok {
			f.around(s, fmt.Sprintf("if !mutated(%d) { ", id), " }")
		}
	}
}

func blank(list []ast.Expr) bool {
	return !slices.ContainsFunc(list, func(e ast.Expr) bool { return !isName(e, "_") })
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// condition negates a condition that is no comparison: binary negates comparisons.
func (f *file) condition(e ast.Expr) {
	if _, ok := e.(*ast.BinaryExpr); !ok {
		f.negate(e)
	}
}

func (f *file) negate(e ast.Expr) {
	if id, ok := f.new(e, "the condition is negated"); ok {
		f.around(e, fmt.Sprintf("(mutated(%d) != (", id), "))")
	}
}

// value makes a value zero.
func (f *file) value(e ast.Expr, what string) {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.FuncLit:
		return
	case *ast.CompositeLit:
		if e.Type == nil || len(e.Elts) == 0 {
			return
		}
	case *ast.Ident:
		switch e.Name {
		case "nil":
			return
		case "true", "false":
			f.negate(e)
			return
		}
	}
	if id, ok := f.new(e, what); ok {
		f.around(e, fmt.Sprintf("mutatedZero(%d, ", id), ")")
	}
}

func (f *file) binary(e *ast.BinaryExpr) {
	at := f.set.Position(e.OpPos).Offset
	switch e.Op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		f.negate(e)
	case token.LAND, token.LOR:
		// Negated on both sides, "and" becomes "or".
		id, ok := f.new(e, "&& and || are exchanged")
		if !ok {
			return
		}
		flip := fmt.Sprintf("(mutated(%d) != (", id)
		f.around(e, flip+flip, "))))")
		f.edits = append(f.edits, edit{at, at + len(e.Op.String()), ")) " + e.Op.String() + " " + flip, 0})
		return
	}
	call, ok := calls[e.Op]
	if !ok || literal(e.X) && literal(e.Y) {
		return
	}
	if id, ok := f.new(e, call.what); ok {
		f.around(e, fmt.Sprintf("%s(%d, ", call.helper, id), ")")
		f.edits = append(f.edits, edit{at, at + len(e.Op.String()), ",", 0})
	}
}

// literal reports whether the expression has only literals, or a string, whose sum is no
// number.
func literal(e ast.Expr) bool {
	all := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident, *ast.CallExpr:
			all = false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				all = true
				return false
			}
		}
		return true
	})
	return all
}
