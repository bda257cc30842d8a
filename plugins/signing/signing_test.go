package signing

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Equal takes the same time whatever a stranger sends: it compares digests of one
// length, to their end.
func TestEqual(t *testing.T) {
	for _, a := range []string{"", "a", "b", "ab", strings.Repeat("a", 1000)} {
		for _, b := range []string{"", "a", "b", "ab", strings.Repeat("a", 1000)} {
			require.Equal(t, a == b, Equal([]byte(a), []byte(b)))
		}
	}
	f, err := goparser.ParseFile(token.NewFileSet(), "signing.go", nil, 0)
	require.NoError(t, err)
	var calls []string
	for _, declaration := range f.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Name.Name == "Equal" {
			ast.Inspect(function, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					calls = append(calls, text(n.Fun))
				case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt:
					t.Error("Equal decides before its end")
				}
				return true
			})
		}
	}
	require.Equal(t, []string{"sha256.Sum256", "sha256.Sum256", "subtle.ConstantTimeCompare"}, calls)
}

// text is an expression as it is written, for names and selectors.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return text(e.Fun)
	case *ast.IndexExpr:
		return text(e.X)
	case *ast.ParenExpr:
		return text(e.X)
	case *ast.StarExpr:
		return text(e.X)
	case *ast.SliceExpr:
		return text(e.X)
	}
	return ""
}

// Functions that compare, and stop at the first difference or are for [Equal]
// alone; and names that what is compared with secrets has.
var (
	comparing = map[string]bool{
		"bytes.Equal": true, "bytes.Compare": true, "bytes.EqualFold": true, "bytes.HasPrefix": true, "bytes.Contains": true,
		"hmac.Equal": true, "slices.Equal": true, "slices.Compare": true, "strings.EqualFold": true, "strings.Compare": true, "cmp.Compare": true,
		"reflect.DeepEqual": true, "maps.Equal": true, "slices.Contains": true, "slices.Index": true,
	}
	secretive = []string{"secret", "token", "password", "username", "signature", "presented", "mac", "key", "digest", "sum", "hash"}
)

// comparisons returns where source compares what may be secret, but in Equal.
func comparisons(t *testing.T, name string, source any) []string {
	t.Helper()
	files := token.NewFileSet()
	f, err := goparser.ParseFile(files, name, source, 0)
	require.NoError(t, err)
	var found []string
	at := func(n ast.Node, what string) {
		found = append(found, fmt.Sprintf("%v: %s", files.Position(n.Pos()), what))
	}
	secret := func(e ast.Expr) bool {
		written := text(e)
		last := strings.ToLower(written[strings.LastIndexByte(written, '.')+1:])
		if call, ok := e.(*ast.CallExpr); ok && len(call.Args) == 1 && (last == "string" || last == "") {
			written = text(call.Args[0])
			last = strings.ToLower(written[strings.LastIndexByte(written, '.')+1:])
		}
		if last == "text" && strings.HasPrefix(strings.ToLower(written), "s") {
			return true // s.text of a secret
		}
		for _, s := range secretive {
			if strings.Contains(last, s) && !strings.HasPrefix(last, "is") {
				return true
			}
		}
		return false
	}
	constant := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.CallExpr:
			return text(e.Fun) == "len"
		case *ast.BasicLit:
			return e.Value == `""` || e.Kind == token.INT
		case *ast.Ident:
			return e.Name == "nil" || e.Name == "true" || e.Name == "false" || strings.HasPrefix(e.Name, "param")
		}
		return false
	}
	for _, declaration := range f.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Name.Name == "Equal" && function.Recv == nil {
			continue
		}
		ast.Inspect(declaration, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				written := text(n)
				if strings.HasPrefix(written, "subtle.") || written == "hmac.Equal" {
					at(n, written)
				}
			case *ast.CallExpr:
				if !comparing[text(n.Fun)] {
					return true
				}
				for _, arg := range n.Args {
					if text(n.Fun) == "bytes.Equal" || secret(arg) {
						at(n, text(n.Fun))
						break
					}
				}
			case *ast.BinaryExpr:
				if n.Op != token.EQL && n.Op != token.NEQ && n.Op != token.LSS && n.Op != token.GTR {
					return true
				}
				if (secret(n.X) || secret(n.Y)) && !constant(n.X) && !constant(n.Y) {
					at(n, n.Op.String())
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && secret(n.Tag) {
					at(n, "switch")
				}
			}
			return true
		})
	}
	return found
}

// Secrets and signatures are compared by one function only, here and in the door.
func TestOneComparison(t *testing.T) {
	for _, folder := range []string{".", "../webhook"} {
		names, err := filepath.Glob(folder + "/*.go")
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				require.Empty(t, comparisons(t, name, nil))
			}
		}
	}
	// The test would find another.
	for _, statement := range []string{
		"return bytes.Equal(a, b)",
		"return hmac.Equal(presented, v.MAC(body))",
		"return subtle.ConstantTimeCompare(a, b) == 1",
		"compare := subtle.ConstantTimeCompare; return compare(a, b) == 1",
		"return s.text == presented",
		"return token == s.text",
		"return value != v.secret",
		"return password == v.password",
		"return string(presented) == string(mac)",
		"return strings.EqualFold(token, value)",
		"return slices.Contains(secrets, value)",
		"return slices.Equal(presented, v.mac(body))",
		"return args.token == value",
		"switch token { case value: return true }; return false",
		"return strings.Compare(s.text, value) == 0",
		"if sha256.Sum256(a) == sha256.Sum256(b) { return true }; return false",
	} {
		source := "package webhook\nfunc other() bool { " + statement + " }"
		require.NotEmpty(t, comparisons(t, "other.go", source), statement)
		require.Empty(t, comparisons(t, "other.go", "package webhook\nfunc Equal() bool { "+statement+" }"), statement)
	}
}
