package graphtest

import "html/template"

// The pages share a frame. They are plain, and work without scripts.
var frame = template.Must(template.New("frame").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{block "title" .}}{{end}}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1b1b; background: #f2f2f2; margin: 0 }
main { max-width: 30rem; margin: 3rem auto; padding: 1.5rem 2rem; background: #fff; border: 1px solid #767676 }
h1 { font-size: 1.5rem; margin-top: 0 } h2 { font-size: 1rem; margin: 1.5rem 0 .25rem }
ul { list-style: none; margin: 0; padding: 0 }
button { font: inherit; color: inherit; text-align: left; width: 100%; margin: .25rem 0; padding: .5rem .75rem; background: #fff;
  border: 1px solid #767676; cursor: pointer }
button:hover, button:focus-visible { background: #e6f0fa; outline: 2px solid #0b5cad }
small { color: #505050 } .double { color: #505050; font-size: .875rem; overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
{{block "main" .}}{{end}}
<p class="double">This is not Microsoft: it is a double of it, for tests and for running on one machine.</p>
</main>
</body>
</html>
`))

func page(title, main string) *template.Template {
	return template.Must(template.Must(frame.Clone()).Parse(`{{define "title"}}` + title + `{{end}}{{define "main"}}` + main + `{{end}}`))
}

const people = `{{range .Groups}}<h2>{{.Tenant}}</h2>
<ul>
{{range .People}}<li><button name="account" value="{{.Value}}">{{.Name}}<br>
<small>{{.Mail}}{{with .Note}} ({{.}}){{end}}</small></button></li>
{{end}}</ul>
{{end}}`

var (
	chooserPage = page(`Sign in to {{.App}}`, `<h1>Sign in to {{.App}}</h1>
<p>Choose who you are{{with .Tenant}} at {{.}}{{end}}. No password is needed.</p>
<form method="post" action="{{.Action}}">
`+people+`<h2>Or</h2>
<button name="account" value="{{.Cancel}}">Go back without signing in</button>
</form>`)

	consentPage = page(`Permissions requested by {{.App}}`, `<h1>{{.App}} asks for permissions</h1>
<p>If you accept{{with .Tenant}} for {{.}}{{end}}, the app may do this for everybody in the organization:</p>
<ul>{{range .Permissions}}<li>{{.}}</li>{{else}}<li>sign people in</li>{{end}}</ul>
<form method="post" action="{{.Action}}">
<p>Accept as:</p>
`+people+`<h2>Or</h2>
<button name="account" value="{{.Cancel}}">Cancel</button>
</form>`)

	redeemPage = page(`Invitation from {{.Tenant}}`, `<h1>{{.Tenant}} invites you</h1>
<p>The invitation was sent to {{.Mail}}. {{.Tenant}} will see your name and address.</p>
<form method="post" action="{{.Action}}">
{{if .Groups}}<p>Accept as:</p>
`+people+`{{else}}<p>There is no account with this address. A one-time passcode stands in for it.</p>
<button name="account" value="{{.Passcode}}">Accept with a one-time passcode</button>
{{end}}</form>`)

	formPostPage = page(`Continue`, `<h1>You are signed in</h1>
<form method="post" action="{{.Target}}">
{{range $name, $values := .Params}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<button>Continue</button>
</form>`)

	signedOutPage = page(`Signed out`, `<h1>You signed out of your account</h1>
<p>It is a good idea to close all browser windows.</p>`)

	errorPage = page(`Sign-in failed`, `<h1>Sorry, but we’re having trouble signing you in.</h1>
<p class="double">{{.Description}}</p>`)
)
