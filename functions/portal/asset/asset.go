// Package asset has the portal's style sheet and its module, under addresses that change with their content.
package asset

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

// Asset is a file that pages use.
type Asset struct {
	Name    string // with a hash of its content, so that it never changes
	Media   string
	Content []byte
}

// Path returns the address of the asset.
func (a *Asset) Path() string { return "/assets/" + a.Name }

//go:embed style.css
var style []byte

//go:embed portal.js
var script []byte

// The assets.
var (
	Style  = named("css", "text/css; charset=utf-8", style)
	Script = named("js", "text/javascript; charset=utf-8", script)
)

// Named returns the asset of a name, nil when there is none.
func Named(name string) *Asset {
	for _, a := range []*Asset{Style, Script} {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func named(ending, media string, content []byte) *Asset {
	sum := sha256.Sum256(content)
	return &Asset{hex.EncodeToString(sum[:8]) + "." + ending, media, content}
}
