// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kubectl/pkg/polymorphichelpers"
)

// rolloutStatusCommand is the first argument that makes this program an oracle
// instead of a server: it holds our own reading of a Deployment against kubectl's.
const rolloutStatusCommand = "rollout-status"

// answer is what "kubectl rollout status" says of one Deployment. With an error
// kubectl ends with 1; without one and not done, it goes on watching.
type answer struct {
	Message string `json:"message"`
	Done    bool   `json:"done"`
	Error   string `json:"error"`
}

// rolloutStatus reads Deployments, one JSON object a line, and answers each
// with one line: the verdict of the very code kubectl links.
func rolloutStatus(in io.Reader, out io.Writer) error {
	viewer := &polymorphichelpers.DeploymentStatusViewer{}
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var object map[string]interface{}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a Deployment: %w", err)
		}
		wholeNumbers(object)
		var said answer
		said.Message, said.Done, err = viewer.Status(&unstructured.Unstructured{Object: object}, 0)
		if err != nil {
			said.Error = err.Error()
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
}

// wholeNumbers turns the float64 that encoding/json makes of every number into
// the int64 that an object read from an API server holds.
func wholeNumbers(object map[string]interface{}) {
	for key, value := range object {
		object[key] = wholeNumber(value)
	}
}

func wholeNumber(value interface{}) interface{} {
	switch typed := value.(type) {
	case float64:
		if typed == float64(int64(typed)) {
			return int64(typed)
		}
	case map[string]interface{}:
		wholeNumbers(typed)
	case []interface{}:
		for index, entry := range typed {
			typed[index] = wholeNumber(entry)
		}
	}
	return value
}
