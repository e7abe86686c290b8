package view

//go:generate go tool templ generate -include-version=false
