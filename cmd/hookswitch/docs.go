package main

import (
	"bytes"
	"errors"
	"strings"
	"text/template"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/reference"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// docsCommand prints what a component does, what becomes of a vendor's payload, and what an
// event holds. The engine's list command prints only names.
func docsCommand() *cli.Command {
	return &cli.Command{
		Name:      "docs",
		Usage:     "Print the page of a component, of a vendor, or the dictionary of events",
		ArgsUsage: "NAME",
		Description: `Takes the name of an input, processor, output or any other component of list, which gives
its fields, units, defaults, metrics and examples; the name of a vendor, which gives its
native events and what becomes of each key; or dictionary, which gives the fields and types
of events. The pages are in Markdown:

  hookswitch docs webhook
  hookswitch docs webhook_decode
  hookswitch docs callrail
  hookswitch docs dictionary`,
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return misused("reading arguments: expected one name, got %d arguments", c.NArg())
			}
			pages, err := docs(environment(), c.Args().First())
			if err != nil {
				return err
			}
			_, err = c.App.Writer.Write(pages)
			return err
		},
	}
}

// docs returns the pages of a name. An input and a cache, say, may share a name.
func docs(env *service.Environment, name string) ([]byte, error) {
	var (
		pages []byte
		errs  []error
	)
	add := func(known string, view *service.ConfigView) {
		if known == name {
			data, err := view.TemplateData()
			var page bytes.Buffer
			errs = append(errs, err, docsPage.Execute(&page, data))
			pages = append(pages, page.Bytes()...)
		}
	}
	for _, walk := range []func(func(string, *service.ConfigView)){
		env.WalkInputs, env.WalkBuffers, env.WalkProcessors, env.WalkOutputs,
		env.WalkCaches, env.WalkRateLimits, env.WalkMetrics, env.WalkTracers, env.WalkScanners,
	} {
		walk(add)
	}
	if v, ok := vendors.Get(name); ok {
		pages = append(pages, reference.Vendor(v)...)
	}
	if name == "dictionary" {
		pages = append(pages, reference.Dictionary()...)
	}
	if pages == nil {
		errs = append(errs, misused("looking for documentation: expected a component that list shows, a vendor or dictionary, got %q", name))
	}
	return pages, errors.Join(errs...)
}

// docsPage is a component's page in Markdown. The engine's own page template fails,
// because it asks for a field that its data lacks.
var docsPage = template.Must(template.New("docs").Funcs(template.FuncMap{"yaml": yamlBlock}).Parse(`# {{.Name}} ({{.Type}})

{{with .Summary}}{{.}}

{{end}}{{with .Description}}{{.}}

{{end}}{{with .Fields}}## Fields

{{end}}{{range .Fields}}### {{.FullName}}

{{with .Description}}{{.}}

{{end}}- Type: {{.Type}}{{if .IsInterpolated}}, interpolated{{end}}{{if .IsSecret}}, secret{{end}}
{{range .Options}}- Option: {{.}}
{{end}}{{range .AnnotatedOptions}}- Option: {{index . 0}}: {{index . 1}}
{{end}}{{with .DefaultMarshalled}}- Default: {{.}}
{{end}}
{{range .ExamplesMarshalled}}{{yaml .}}
{{end}}{{end}}{{range .Examples}}## Example: {{.Title}}

{{with .Summary}}{{.}}

{{end}}{{yaml .Config}}
{{end}}{{with .Footnotes}}{{.}}

{{end}}`))

// yamlBlock is YAML in a page.
func yamlBlock(text string) string { return "```yaml\n" + strings.TrimSpace(text) + "\n```\n" }
