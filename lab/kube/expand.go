// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// expandCommand is the first argument that makes this program say what the
// kubelet makes of $(NAME) in the value of a variable.
const expandCommand = "expand"

// question is a value and the variables set before it.
type question struct {
	Text   string            `json:"text"`
	Values map[string]string `json:"values"`
}

// expand reads questions, one JSON object a line, and answers each with one
// line: the value by the very code the kubelet links.
func expand(in io.Reader, out io.Writer) error {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var asked question
		err := decoder.Decode(&asked)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a question: %w", err)
		}
		text := expansion.Expand(asked.Text, expansion.MappingFuncFor(asked.Values))
		if err := encoder.Encode(text); err != nil {
			return err
		}
	}
}
