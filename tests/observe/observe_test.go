// Package observe holds the alerts and the dashboard to what a running binary tells.
package observe

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/hookswitch/hookswitch/tests/services"
)

const folder = "../../configs/observe"

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

// rules is a file of alerts, or one of their tests, as far as the tests here read them.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Annotations map[string]string
		}
	}
	Tests []struct {
		Alerts []struct {
			Name    string      `yaml:"alertname"`
			Expects []yaml.Node `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func readRules(t *testing.T, name string) (r rules) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &r))
	return r
}

// dashboard is the dashboard as far as the tests here read it.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Panels []struct {
		ID                int
		Title, Type       string
		Description, Unit string
		Targets           []struct{ Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "dashboard.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// TestPromtool runs the alerts' own tests.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		services.Missing(t, "testing the alerts", err)
	}
	for _, args := range [][]string{{"check", "rules", "alerts.rules"}, {"test", "rules", "alerts_test.rules"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// TestEveryAlertIsTested expects that each alert has a test in which it fires and one
// in which it does not.
func TestEveryAlertIsTested(t *testing.T) {
	fires, silent, alerts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, test := range readRules(t, "alerts_test.rules").Tests {
		for _, a := range test.Alerts {
			if len(a.Expects) > 0 {
				fires[a.Name] = true
			} else {
				silent[a.Name] = true
			}
		}
	}
	for _, group := range readRules(t, "alerts.rules").Groups {
		for _, rule := range group.Rules {
			alerts[rule.Alert] = true
		}
	}
	require.NotEmpty(t, alerts)
	require.Equal(t, alerts, fires)
	require.Equal(t, alerts, silent)
}

// query is an expression of a rule or a panel, and the text that shows its labels.
type query struct{ where, expr, text string }

// queries returns all expressions of the alerts and of the dashboard.
func queries(t *testing.T) (all []query) {
	t.Helper()
	for _, group := range readRules(t, "alerts.rules").Groups {
		for _, rule := range group.Rules {
			all = append(all, query{rule.Alert, rule.Expr, strings.Join(slices.Collect(maps.Values(rule.Annotations)), " ")})
		}
	}
	d := readDashboard(t)
	variables := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			found := variables.FindStringSubmatch(v.Definition)
			require.NotNil(t, found, v.Definition)
			all = append(all, query{"variable " + v.Name, found[1], "{{" + found[2] + "}}"})
		}
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			all = append(all, query{"panel " + p.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"), target.LegendFormat})
		}
	}
	require.Greater(t, len(all), 30)
	return all
}

// TestMetrics expects every metric and label that the alerts and the dashboard name
// on the running binary with a shipped config.
func TestMetrics(t *testing.T) {
	const key = "a signing key"
	// The first request is refused, so that the spool offers its event again. The config
	// tries no redirect again by itself.
	var requests atomic.Int64
	output := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusFound)
		}
	}))
	t.Cleanup(output.Close)
	s := services.Start(t, "http.yaml", "HOOKSWITCH_HTTP_URL="+output.URL,
		"HOOKSWITCH_UNVERIFIED=false", "HOOKSWITCH_VENDORS=callrail", "CALLRAIL_SIGNING_KEY="+key)

	// One delivery that is decoded, with a value that is no number; one that is not; and
	// one that nobody has signed.
	file := filepath.Join(t.TempDir(), "body")
	for _, body := range []string{`{"resource_id":"CAL1","start_time":"2026-07-01T15:13:11Z","duration":"long"}`, `{"resource_id":`} {
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		send := exec.CommandContext(t.Context(), services.Binary(), "send", "--vendor", "callrail", "--event", "post_call", "--file", file, s.URL)
		send.Env = append(os.Environ(), "CALLRAIL_SIGNING_KEY="+key)
		out, err := send.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	status, err := s.Send("/callrail/post_call", http.Header{}, []byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)

	all := queries(t)
	var missing []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		missing = nil
		metrics := labelsOf(t, s)
		for _, q := range all {
			missing = append(missing, lacks(t, q, metrics)...)
		}
		if len(missing) == 0 {
			break
		}
	}
	require.Empty(t, missing)
}

// labelsOf returns the series that the binary shows, by their name, with the names of
// their labels.
func labelsOf(t *testing.T, s *services.Hookswitch) map[string]map[string]bool {
	t.Helper()
	metrics := expfmt.NewTextParser(model.UTF8Validation)
	families, err := metrics.TextToMetricFamilies(strings.NewReader(s.Metrics(t)))
	require.NoError(t, err)
	all := map[string]map[string]bool{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			// Prometheus adds these where it reads the metrics.
			labels := map[string]bool{"job": true, "instance": true}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = true
			}
			if metric.GetHistogram() == nil {
				all[name] = labels
				continue
			}
			all[name+"_sum"], all[name+"_count"] = labels, labels
			all[name+"_bucket"] = maps.Clone(labels)
			all[name+"_bucket"]["le"] = true
		}
	}
	return all
}

var shownLabel = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}`)

// lacks names what an expression takes from metrics that do not have it.
func lacks(t *testing.T, q query, metrics map[string]map[string]bool) (missing []string) {
	t.Helper()
	expr, err := parser.ParseExpr(q.expr)
	require.NoError(t, err, q.where)
	var wanted []string // the labels by which it adds up, and those that are shown
	for _, match := range shownLabel.FindAllStringSubmatch(q.text, -1) {
		wanted = append(wanted, match[1])
	}
	var selectors []*parser.VectorSelector
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			selectors = append(selectors, n)
		case *parser.AggregateExpr:
			wanted = append(wanted, n.Grouping...)
		}
		return nil
	})
	require.NotEmpty(t, selectors, q.where)
	for _, selector := range selectors {
		labels, ok := metrics[selector.Name]
		if !ok {
			missing = append(missing, q.where+": "+selector.Name)
			continue
		}
		of := slices.Clone(wanted)
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel {
				of = append(of, matcher.Name)
			}
		}
		for _, label := range of {
			if !labels[label] {
				missing = append(missing, q.where+": "+selector.Name+"{"+label+"}")
			}
		}
	}
	return missing
}

// TestOutcomes expects every outcome that the alerts and the dashboard name on the page
// of the door: most of them are too rare to see on a running binary.
func TestOutcomes(t *testing.T) {
	page, err := exec.CommandContext(t.Context(), services.Binary(), "docs", "webhook").Output()
	require.NoError(t, err)
	_, counts, found := strings.Cut(string(page), "by route and outcome (")
	require.True(t, found)
	counts, _, _ = strings.Cut(counts, ")")
	named := 0
	for _, q := range queries(t) {
		expr, err := parser.ParseExpr(q.expr)
		require.NoError(t, err, q.where)
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			for _, matcher := range selector.LabelMatchers {
				if matcher.Name != "outcome" {
					continue
				}
				for word := range strings.SplitSeq(matcher.Value, "|") {
					named++
					require.Contains(t, counts, "`"+word+"`", q.where)
				}
			}
			return nil
		})
	}
	require.NotZero(t, named)
}
