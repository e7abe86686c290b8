package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"
)

// mailboxPath is where the page with all sent mails is.
const mailboxPath = "/_local/mail"

// Mailbox is where a browser sees the mails that were sent.
func (s *Stack) Mailbox() string { return s.URL + mailboxPath }

// Mail is a mail that was sent: MiniStack keeps it.
type Mail struct {
	From    string   `json:"Source"`
	To      []string `json:"To"`
	Subject string   `json:"Subject"`
	Text    string   `json:"BodyText"`
	HTML    string   `json:"BodyHtml"`
	Seconds float64  `json:"Timestamp"` // since 1970
}

// At is when it was sent.
func (m Mail) At() string {
	return time.UnixMilli(int64(m.Seconds * 1000)).UTC().Format("2 January 15:04:05 UTC")
}

// Framed is the HTML for a frame on a page: links open a window of their own, since the portal does not let itself be framed.
func (m Mail) Framed() string { return `<base target="_blank">` + m.HTML }

// Mails are all that were sent, the newest first.
func (s *Stack) Mails(ctx context.Context) ([]Mail, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Cloud+"/_ministack/ses/messages", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the mailbox of MiniStack: %s", resp.Status)
	}
	var sent struct {
		Messages map[string][]Mail // by account
	}
	if err := json.NewDecoder(resp.Body).Decode(&sent); err != nil {
		return nil, err
	}
	mails := slices.Concat(slices.Collect(maps.Values(sent.Messages))...)
	slices.SortStableFunc(mails, func(a, b Mail) int { return int(b.Seconds*1000) - int(a.Seconds*1000) })
	return mails, nil
}

// A mail may run nothing and reach nothing: it is what somebody else has written.
var mailboxPage = template.Must(template.New("mailbox").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1b1b; background: #f2f2f2; margin: 0 auto; max-width: 48rem; padding: 1rem }
article { background: #fff; border: 1px solid #767676; margin: 1rem 0; padding: 1rem }
h2 { font-size: 1.125rem; margin: 0 } iframe { border: 1px solid #ccc; width: 100%; height: 32rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>Mailbox</h1>
<p>All mails that this deployment has sent, the newest first. They went nowhere else.</p>
{{range .}}<article>
<h2>{{.Subject}}</h2>
<p>From {{.From}}<br>To {{range .To}}{{.}} {{end}}<br>{{.At}}</p>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="{{.Subject}}" srcdoc="{{.Framed}}"></iframe>
<details><summary>As text</summary><pre>{{.Text}}</pre></details>
</article>
{{else}}<p>There are none yet. Load the page again after somebody was invited.</p>
{{end}}</main>
</body>
</html>
`))

func (s *Stack) mailbox(w http.ResponseWriter, r *http.Request) {
	mails, err := s.Mails(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self' http://*.localhost:*; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	_ = mailboxPage.Execute(w, mails) // fails only when the browser has gone
}
