package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the template says where a system's own name, namespace and uid belong.
const (
	namePlace      = "SYSTEM-NAME"
	namespacePlace = "SYSTEM-SPACE"
	uidPlace       = "SYSTEM-UID"
)

type template struct {
	Children []child         `json:"children"`
	Status   json.RawMessage `json:"status"`

	objects []client.Object
	status  Status
}

type child struct {
	Path     string          `json:"path"`
	Manifest json.RawMessage `json:"manifest"`
}

func readTemplate(path string) (*template, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	read := &template{}
	if err := json.Unmarshal(content, read); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(read.Status, &read.status); err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(clientgoscheme.Scheme).UniversalDeserializer()
	for _, each := range read.Children {
		object, _, err := decoder.Decode(each.Manifest, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.Path, err)
		}
		read.objects = append(read.objects, object.(client.Object))
	}
	return read, nil
}

// build returns the children of one system: typed copies with its names in them. It stands for the
// builder functions of an operator and costs about what they cost: no JSON is involved.
func (t *template) build(system *TradingSystem) []client.Object {
	names := strings.NewReplacer(
		namePlace, system.Name, namespacePlace, system.Namespace, uidPlace, string(system.UID),
	)
	built := make([]client.Object, 0, len(t.objects))
	for _, object := range t.objects {
		made := object.DeepCopyObject().(client.Object)
		rename(reflect.ValueOf(made), names)
		built = append(built, made)
	}
	return built
}

// rename puts the names into every text of a value that may be changed.
func rename(value reflect.Value, names *strings.Replacer) {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			rename(value.Elem(), names)
		}
	case reflect.Struct:
		if extension, ok := value.Addr().Interface().(*runtime.RawExtension); ok {
			extension.Raw = []byte(names.Replace(string(extension.Raw)))
			return
		}
		for index := range value.NumField() {
			if value.Type().Field(index).IsExported() {
				rename(value.Field(index), names)
			}
		}
	case reflect.Slice:
		for index := range value.Len() {
			rename(value.Index(index), names)
		}
	case reflect.Map:
		renameMap(value, names)
	case reflect.String:
		if strings.Contains(value.String(), "SYSTEM-") {
			value.SetString(names.Replace(value.String()))
		}
	}
}

func renameMap(value reflect.Value, names *strings.Replacer) {
	if value.Type().Elem().Kind() != reflect.String {
		return // quantities, which name nobody
	}
	for _, key := range value.MapKeys() {
		text := value.MapIndex(key).String()
		if strings.Contains(text, "SYSTEM-") {
			value.SetMapIndex(key, reflect.ValueOf(names.Replace(text)).Convert(value.Type().Elem()))
		}
	}
}

// fill puts the names of one system into a request that was prepared as text.
func fill(content []byte, system named) []byte {
	for place, name := range map[string]string{
		namePlace: system.Name, namespacePlace: system.Namespace, uidPlace: system.UID,
	} {
		content = bytes.ReplaceAll(content, []byte(place), []byte(name))
	}
	return content
}
