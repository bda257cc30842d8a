package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// Vendor returns the page on a vendor, in Markdown: its native events, and what becomes of
// each key of its samples.
func Vendor(v *vendors.Vendor) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nThe vendor's page: %s\n\nPoint the vendor at Hookswitch: %s It proves who it is by: %s. The variable of the secret is `%s`.\n\n", v.Title, v.Page, v.Setup, v.Signing.Proof(), v.SecretEnv)
	b.WriteString("## Native events\n\n| native event | type |\n|---|---|\n")
	for _, e := range v.Events {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, strings.Join(e.Types, ", "))
	}
	if !v.Closed {
		fmt.Fprintf(&b, "| another | %s.`<native event>` |\n", v.Name)
	}
	if len(v.RedactedKeys) > 0 {
		fmt.Fprintf(&b, "\nThese keys hold secrets, and are removed from every payload, in any letter case and at any depth: `%s`.\n", strings.Join(v.RedactedKeys, "`, `"))
	}
	read, rawOnly := keys(v)
	b.WriteString("\n## Keys that become fields\n\nA field that several keys are read for takes the first that can be read. `[]` stands for the elements of an array, `*` for names that\nthe vendor or its customer chooses. [The dictionary](dictionary.md) explains the fields. The last column names the\nnative events in whose samples the key stands.\n\n| key | field | native events |\n|---|---|---|\n")
	for _, k := range read {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.name, k.becomes, k.in(v))
	}
	if len(rawOnly) > 0 {
		b.WriteString("\n## Keys that stand in raw only\n\n| key | because | native events |\n|---|---|---|\n")
	}
	for _, k := range rawOnly {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.name, k.becomes, k.in(v))
	}
	return b.String()
}

// key is what becomes of a key in some native events.
type key struct {
	name    string
	becomes string   // the fields, or the reason to stand in raw only
	events  []string // the native events
}

// in says in which native events this becomes of the key.
func (k *key) in(v *vendors.Vendor) string {
	if len(k.events) == len(v.Events) && len(v.Events) > 1 {
		return "all"
	}
	return strings.Join(k.events, ", ")
}

// keys returns the keys that become fields, and those that stand in raw only, in the order
// in which the samples have them.
func keys(v *vendors.Vendor) (read, rawOnly []*key) {
	for _, native := range v.Events {
		fields, order := map[string][]string{}, []string(nil)
		reasons, scalar := map[string]string{}, map[string]bool{}
		for _, e := range explanations(v, native.Name) {
			for _, k := range e.Keys {
				if len(k.Fields) == 0 && (k.Reason == "" || k.Reason == vendors.ScopedType) {
					continue // a sample of what may come
				}
				if _, known := fields[k.Name]; !known {
					order = append(order, k.Name)
				}
				fields[k.Name] = append(fields[k.Name], k.Fields...)
				reasons[k.Name] = k.Reason
				scalar[k.Name] = scalar[k.Name] || !k.Empty
			}
		}
		// A key within the key of a scalar is an oddity of a sample. Where a vendor sends now a
		// scalar and now an object, the inner keys give fields that the scalar does not.
		odd := func(name, outer string) bool {
			return within(name, outer) && scalar[outer] && !slices.ContainsFunc(order, func(inner string) bool {
				return within(inner, outer) && slices.ContainsFunc(fields[inner], func(field string) bool { return !slices.Contains(fields[outer], field) })
			})
		}
		for _, name := range order {
			if slices.ContainsFunc(order, func(other string) bool { return within(other, name) && !scalar[name] || odd(name, other) }) {
				continue // or an object or array that a sample sends as null
			}
			if becomes := fields[name]; len(becomes) > 0 {
				slices.Sort(becomes)
				read = add(read, name, strings.Join(slices.Compact(becomes), ", "), native.Name)
			} else {
				rawOnly = add(rawOnly, name, reasons[name], native.Name)
			}
		}
	}
	for _, all := range [][]*key{read, rawOnly} {
		places := map[string]int{}
		for i, k := range all {
			if _, known := places[k.name]; !known {
				places[k.name] = i
			}
		}
		slices.SortStableFunc(all, func(a, b *key) int { return places[a.name] - places[b.name] })
	}
	return read, rawOnly
}

// within reports whether a key stands within the value of another.
func within(name, outer string) bool {
	return name != outer && vendors.WireKey{Name: name}.Within(outer)
}

// add adds a native event in which this becomes of the key.
func add(all []*key, name, becomes, native string) []*key {
	for _, k := range all {
		if k.name == name && k.becomes == becomes {
			k.events = append(k.events, native)
			return all
		}
	}
	return append(all, &key{name, becomes, []string{native}})
}

// explanations explains the samples that are of a native event and have no issues.
func explanations(v *vendors.Vendor, native string) (all []*vendors.Explanation) {
	for declared, body := range v.SamplesOf(native) {
		e, err := v.Explain(&delivery.Delivery{Vendor: v.Name, Event: declared, Body: body})
		if err == nil && slices.Equal(e.VendorEvents, []string{native}) && len(e.Issues) == 0 {
			all = append(all, e)
		}
	}
	return all
}
