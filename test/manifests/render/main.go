// render does with a chart what `helm template` does, as far as this project's chart goes: values are merged and held against the schema,
// templates are executed with the functions include, toYaml and nindent.
//
//	render chart NAMESPACE FOLDER [VALUES-FILE]   the objects of a chart
//	render objects [FILE]                         the objects of a YAML file or of the standard input
//
// Objects are printed as a JSON list. Texts in a ConfigMap whose names end in .yaml are printed as what they say, so that comments in them
// are no difference.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

func read(file string, into interface{}) error {
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	return err
}

// merge puts a user's values over the chart's: maps key by key, all else as a whole, and null takes a key away, as helm does it.
func merge(below, above object) object {
	for key, value := range above {
		under, isMap := below[key].(object)
		over, overIsMap := value.(object)
		switch {
		case value == nil:
			delete(below, key)
		case isMap && overIsMap:
			below[key] = merge(under, over)
		default:
			below[key] = value
		}
	}
	return below
}

func fits(schemaFile string, values object) error {
	schema, err := os.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(schema), gojsonschema.NewGoLoader(values))
	if err != nil {
		return err
	}
	var said []string
	for _, wrong := range result.Errors() {
		said = append(said, wrong.String())
	}
	if len(said) > 0 {
		return errors.New(strings.Join(said, "\n"))
	}
	return nil
}

func functions(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"toYaml": func(value interface{}) (string, error) {
			text, err := yaml.Marshal(value)
			return strings.TrimSuffix(string(text), "\n"), err
		},
		"nindent": func(by int, text string) string {
			indent := "\n" + strings.Repeat(" ", by)
			return indent + strings.ReplaceAll(text, "\n", indent)
		},
	}
}

func renderChart(namespace, folder, valuesFile string) (string, error) {
	var chart, values, own object
	if err := read(filepath.Join(folder, "Chart.yaml"), &chart); err != nil {
		return "", err
	}
	if err := read(filepath.Join(folder, "values.yaml"), &values); err != nil {
		return "", err
	}
	if valuesFile != "" {
		if err := read(valuesFile, &own); err != nil {
			return "", err
		}
	}
	values = merge(values, own)
	if err := fits(filepath.Join(folder, "values.schema.json"), values); err != nil {
		return "", err
	}
	all := template.New("").Option("missingkey=error")
	all.Funcs(functions(all))
	files, err := filepath.Glob(filepath.Join(folder, "templates", "*"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if _, err := all.New(filepath.Base(file)).Parse(string(text)); err != nil {
			return "", err
		}
	}
	data := object{
		"Values":  values,
		"Chart":   object{"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
		"Release": object{"Name": "railhead", "Namespace": namespace},
	}
	var out bytes.Buffer
	for _, file := range files {
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		out.WriteString("\n---\n")
		if err := all.ExecuteTemplate(&out, filepath.Base(file), data); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

func printObjects(text string) error {
	objects := []object{}
	for _, document := range separator.Split(text, -1) {
		var one object
		if err := yaml.UnmarshalStrict([]byte(document), &one); err != nil {
			return fmt.Errorf("%w in:\n%s", err, document)
		}
		if one == nil {
			continue
		}
		if data, ok := one["data"].(object); ok && one["kind"] == "ConfigMap" {
			for key, value := range data {
				var said interface{}
				if strings.HasSuffix(key, ".yaml") && yaml.Unmarshal([]byte(fmt.Sprint(value)), &said) == nil {
					data[key] = said
				}
			}
		}
		objects = append(objects, one)
	}
	return json.NewEncoder(os.Stdout).Encode(objects)
}

func run(args []string) error {
	var text string
	var err error
	switch {
	case len(args) >= 3 && args[0] == "chart":
		text, err = renderChart(args[1], args[2], strings.Join(args[3:], ""))
	case len(args) >= 1 && args[0] == "objects":
		in := io.Reader(os.Stdin)
		if len(args) == 2 {
			if in, err = os.Open(args[1]); err != nil {
				return err
			}
		}
		var all []byte
		all, err = io.ReadAll(in)
		text = string(all)
	default:
		err = errors.New("usage: render chart NAMESPACE FOLDER [VALUES-FILE] | render objects [FILE]")
	}
	if err != nil {
		return err
	}
	return printObjects(text)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
