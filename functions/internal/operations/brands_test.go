package operations_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/ident"
)

// noise is a gray PNG that cannot be compressed: of about a byte for each pixel.
func noise(t testing.TB, width, height int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(width*height)))
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	return encoded(t, img)
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// portalApp is an app registration as requests have it.
func portalApp(single bool) map[string]any {
	return map[string]any{
		"clientId": "5D3F0A52-8C1E-4B7D-9A64-2E1F7C8B9D10", "tenantId": "72F988BF-86F1-41AF-91AB-2D7CD011DB47", "singleTenant": single,
	}
}

// Once a brand has an app, links in mails lead to its domain, and invitations can make guests in a tenant. Who is an owner of one partner
// alone names neither: they could be another company's.
func TestWhoGivesABrandItsApp(t *testing.T) {
	w, f, vendor := world(t)
	a := f.Partner(w.Root, "A", vendor)
	path := "/v1/brands/" + f.Brand(a, "a.example")
	owner := w.PersonWith(a, access.Owner)
	app := func(single bool) map[string]any { return map[string]any{"portalApp": portalApp(single)} }
	owner.Do("PATCH", path, app(true)).Is(403, "forbidden")
	owner.Do("PATCH", path, app(false)).Is(403, "forbidden")
	f.Do("PATCH", path, app(false)).Is(200)
	owner.Do("PATCH", path, map[string]any{"portalApp": portalApp(false), "color": "#123456"}).Is(200) // the app is that already
	owner.Do("PATCH", path, app(true)).Is(403, "forbidden")
	owner.Do("PATCH", path, map[string]any{"portalApp": nil}).Is(200)
	owner.Do("PATCH", path, app(false)).Is(403, "forbidden")
}

func TestABrandIsEdited(t *testing.T) {
	w, f, vendor := world(t)
	a := f.Partner(w.Root, "A", vendor)
	own := f.Brand(a, "a.example")
	path := "/v1/brands/" + own
	first := f.Gets("%s", path).Is(200)
	for _, field := range []string{"color", "logoUrl", "portalApp"} {
		if first.Get(field) != "" {
			t.Errorf("a new brand has a %s: %s", field, first.Body)
		}
	}
	logo := noise(t, 48, 48)
	all := map[string]any{"name": " Bay Voice ", "color": "#1F5FBF", "logo": base64Of(logo), "portalApp": portalApp(true)}
	edited := f.Do("PATCH", path, all, apitest.Header("If-Match", first.Header["ETag"])).Is(200)
	if edited.Header["ETag"] != `"2"` || edited.Get("name") != "Bay Voice" || edited.Get("color") != "#1f5fbf" ||
		edited.Get("domain") != "a.example" ||
		edited.Get("portalApp", "clientId") != "5d3f0a52-8c1e-4b7d-9a64-2e1f7c8b9d10" ||
		edited.Get("portalApp", "tenantId") != "72f988bf-86f1-41af-91ab-2d7cd011db47" || edited.Get("portalApp", "singleTenant") != "true" {
		t.Errorf("the brand became %s %v", edited.Body, edited.Header)
	}
	url := edited.Get("logoUrl")
	if rest, ok := strings.CutPrefix(url, "/brands/"+own+"/logo?v="); !ok || len(rest) != 16 {
		t.Errorf("the logo is at %s", url)
	}
	stored, err := w.Dir.Logo(t.Context(), ident.Brand(own))
	if err != nil || !bytes.Equal(stored, logo) {
		t.Errorf("the logo is %d bytes, %v; want %d", len(stored), err, len(logo))
	}
	if again := f.Gets("%s", path); again.Body != edited.Body {
		t.Errorf("it reads %s", again.Body)
	}

	// The same again is no edit, whatever it starts from; another one has to start from what there is.
	store := w.Store.(*directorytest.Fake)
	happened := len(store.Events())
	same := map[string]any{"name": "Bay Voice", "color": "#1f5fbf", "logo": base64Of(logo), "portalApp": portalApp(true)}
	if got := f.Do("PATCH", path, same, apitest.Header("If-Match", `"1"`)).Is(200); got.Body != edited.Body {
		t.Errorf("the same again gave %s", got.Body)
	}
	f.Do("PATCH", path, map[string]any{}).Is(200)
	if n := len(store.Events()) - happened; n != 0 {
		t.Errorf("edits that change nothing gave %d events", n)
	}
	f.Do("PATCH", path, map[string]any{"color": "#000000"}, apitest.Header("If-Match", `"1"`)).Is(412, "precondition-failed")
	other := f.Do("PATCH", path, map[string]any{"logo": base64Of(noise(t, 50, 50))}, apitest.Header("If-Match", `"2"`)).Is(200)
	if other.Get("logoUrl") == url || other.Get("color") != "#1f5fbf" || other.Get("version") != "3" {
		t.Errorf("with another logo it is %s", other.Body)
	}
	plain := f.Do("PATCH", path, map[string]any{"color": nil, "logo": nil, "portalApp": nil}).Is(200)
	if plain.Get("color")+plain.Get("logoUrl")+plain.Get("portalApp") != "" || plain.Get("name") != "Bay Voice" {
		t.Errorf("null did not take away: %s", plain.Body)
	}
	if _, err := w.Dir.Logo(t.Context(), ident.Brand(own)); err == nil {
		t.Error("the logo is still there")
	}

	// Each edit is told, with what it changed and nothing else.
	var told []string
	for _, e := range store.Events()[happened-1:] {
		if e.Type != event.BrandEdited || e.Node != a || e.Data.(event.BrandEditedData).BrandID != ident.Brand(own) {
			t.Errorf("told is %+v", e)
		}
		data, err := json.Marshal(e.Data)
		if err != nil || len(data) > 700 {
			t.Errorf("told is %s, %v", data, err)
		}
		told = append(told, string(data))
	}
	if len(told) != 3 || !strings.Contains(told[0], `"color":{"from":"","to":"#1f5fbf"}`) ||
		!strings.Contains(told[0], `"portalApp":{"from":null,"to":{"clientId"`) ||
		!strings.Contains(told[1], `"logoUrl":{"from":"`+url) || strings.Contains(told[1], "color") || !strings.Contains(told[2], `"to":null`) {
		t.Errorf("told is %s", told)
	}
}

func TestOnlyOwnersOfItsPartnerEditABrand(t *testing.T) {
	w, f, vendor := world(t)
	a := f.Partner(w.Root, "A", vendor)
	own := f.Brand(a, "a.example")
	b := f.Partner(a, "B", own)
	f.Do("PATCH", "/v1/brands/"+own, map[string]any{"portalApp": portalApp(false), "color": "#1f5fbf"}).Is(200)
	path, edit := "/v1/brands/"+own, map[string]any{"color": "#000000"}
	f.Client(a, "admin").Do("PATCH", path, edit).Is(403, "forbidden")
	below := f.Client(b, "owner")
	below.Do("PATCH", path, edit).Is(404, "not-found")

	// Whoever was given the brand from above sees its look, and neither its owner nor its app.
	listed := below.Gets("%s/brands", apitest.NodePath(b)).Is(200)
	if !strings.Contains(listed.Body, `"color":"#1f5fbf"`) || strings.Contains(listed.Body, "portalApp") ||
		strings.Contains(listed.Body, "5d3f0a52") {
		t.Errorf("given from above, it is listed as %s", listed.Body)
	}
	above := f.Gets("%s/brands", apitest.NodePath(a)).Is(200)
	if !strings.Contains(above.Body, `"portalApp":{"clientId":"5d3f0a52-8c1e-4b7d-9a64-2e1f7c8b9d10"`) {
		t.Errorf("at its owner it is listed as %s", above.Body)
	}

	// What is suspended or in the trash stays as it is.
	f.Do("POST", apitest.NodePath(a)+"/suspend", map[string]any{"reason": "Not paid."}).Is(202)
	f.Do("PATCH", path, edit).Is(409, "suspended")
	f.Do("PATCH", path, map[string]any{"color": "#1f5fbf"}).Is(200)
	f.Do("POST", apitest.NodePath(a)+"/resume", map[string]any{}).Is(202)
	f.Do("DELETE", apitest.NodePath(a), nil).Is(202)
	f.Do("PATCH", path, edit).Is(409, "trashed")
}

func TestWhatABrandCannotBe(t *testing.T) {
	w, f, _ := world(t)
	path := "/v1/brands/" + f.Brand(w.Root, "a.example")
	square := noise(t, 64, 64)
	with := func(name string, value any) map[string]any {
		app := portalApp(true)
		app[name] = value
		return map[string]any{"portalApp": app}
	}
	noClient := portalApp(true)
	delete(noClient, "clientId")
	damaged := bytes.Clone(square)
	damaged[len(damaged)/2] ^= 1
	for _, c := range []struct {
		body    any
		pointer string
		detail  string
	}{
		{map[string]any{"name": nil}, "/name", "null"},
		{map[string]any{"name": " "}, "/name", ""},
		{map[string]any{"color": "blue"}, "/color", "#1f5fbf"},
		{map[string]any{"color": "#fff"}, "/color", ""},
		{map[string]any{"color": ""}, "/color", ""},
		{map[string]any{"color": "#1f5fbf;}"}, "/color", ""},
		{map[string]any{"color": 7}, "/color", "string"},
		{map[string]any{"portalApp": "x"}, "/portalApp", "object"},
		{map[string]any{"portalApp": noClient}, "/portalApp/clientId", "required"},
		{with("clientId", "contoso"), "/portalApp/clientId", "GUID"},
		{with("clientId", ""), "/portalApp/clientId", "GUID"},
		{with("tenantId", "common"), "/portalApp/tenantId", "GUID"},
		{with("tenantId", nil), "/portalApp/tenantId", "required"},
		{with("singleTenant", nil), "/portalApp/singleTenant", "required"},
		{with("singleTenant", "yes"), "/portalApp/singleTenant", "true or false"},
		{map[string]any{"logo": ""}, "/logo", "null to remove the logo"},
		{map[string]any{"logo": "data:image/png;base64," + base64Of(square)}, "/logo", "without a leading data:…;base64,"},
		{map[string]any{"logo": base64Of([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"))}, "/logo", "this is a JPEG"},
		{map[string]any{"logo": base64Of(append([]byte("\xff\xd8\xff"), make([]byte, 101<<10)...))}, "/logo", "this is a JPEG"},
		{map[string]any{"logo": base64Of([]byte("GIF89a\x40\x00"))}, "/logo", "this is a GIF"},
		{map[string]any{"logo": base64Of([]byte("PNG"))}, "/logo", "something else"},
		{map[string]any{"logo": "not base64!"}, "/logo", "base64"},
		{map[string]any{"logo": base64Of([]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"))}, "/logo", "this is an SVG"},
		{map[string]any{"logo": base64Of(square[:len(square)-4])}, "/logo", "end of this image is missing"},
		{map[string]any{"logo": base64Of(square[:len(square)/2])}, "/logo", "end of this image is missing"},
		{map[string]any{"logo": base64Of(square[:20])}, "/logo", "end of this image is missing"},
		{map[string]any{"logo": base64Of(damaged)}, "/logo", "damaged"},
		{map[string]any{"logo": base64Of(append(bytes.Clone(square), 0))}, "/logo", "after the image"},
		{map[string]any{"logo": base64Of(append(bytes.Clone(square), square...))}, "/logo", "after the image"},
		{map[string]any{"logo": base64Of(noise(t, 64, 65))}, "/logo", "64 × 65"},
		{map[string]any{"logo": base64Of(noise(t, 47, 47))}, "/logo", "47 × 47"},
		{map[string]any{"logo": base64Of(encoded(t, image.NewGray(image.Rect(0, 0, 1025, 1025))))}, "/logo", "1025 × 1025"},
		{map[string]any{"logo": base64Of(noise(t, 320, 320))}, "/logo", "100 KB"},
	} {
		answer := f.Do("PATCH", path, c.body).Is(400, "invalid")
		if !strings.Contains(answer.Body, `"pointer":"`+c.pointer+`"`) || !strings.Contains(answer.Body, c.detail) {
			t.Errorf("%.80v: %s; want it to point to %s and to say %q", c.body, answer.Body, c.pointer, c.detail)
		}
	}
	for field, body := range map[string]any{"/state": map[string]any{"state": "ready"}, "/portalApp/secret": with("secret", "x")} {
		if answer := f.Do("PATCH", path, body).Is(400, "unknown-field"); !strings.Contains(answer.Body, field) {
			t.Errorf("%s: %s", field, answer.Body)
		}
	}
	if got := f.Gets("%s", path).Get("version"); got != "1" {
		t.Errorf("what was refused is at version %s", got)
	}
	for _, img := range []image.Image{
		image.NewGray(image.Rect(0, 0, 48, 48)), image.NewNRGBA64(image.Rect(0, 0, 1024, 1024)),
		image.NewPaletted(image.Rect(0, 0, 215, 215), color.Palette{color.White, color.Transparent}),
	} {
		f.Do("PATCH", path, map[string]any{"logo": base64Of(encoded(t, img))}).Is(200)
	}
}

// API Gateway hands over application/json as it is, and in base64 what it does not know for text: merge patches. Only the operation
// that takes logos reads such large bodies.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func TestTheLargestLogoComesThrough(t *testing.T) {
	w, f, _ := world(t)
	path := "/v1/brands/" + f.Brand(w.Root, "a.example")
	logo := noise(t, 319, 319)
	if len(logo) > 100<<10 || len(logo) < 99<<10 {
		t.Fatalf("the logo has %d bytes", len(logo))
	}
	binary := func(e *events.APIGatewayV2HTTPRequest) {
		e.Headers["content-type"] = "application/merge-patch+json"
		e.Body, e.IsBase64Encoded = base64Of([]byte(e.Body)), true
	}
	in := f.Do("PATCH", path, map[string]any{"logo": base64Of(logo), "color": "#1f5fbf", "portalApp": portalApp(true)}).Is(200)
	f.Do("PATCH", path, map[string]any{"logo": nil}).Is(200)
	out := f.Do("PATCH", path, map[string]any{"logo": base64Of(logo)}, binary).Is(200)
	if out.Get("logoUrl") != in.Get("logoUrl") || out.Get("version") != "4" {
		t.Errorf("the logo is at %s, and then at %s", in.Get("logoUrl"), out.Get("logoUrl"))
	}
	escaped := strings.ReplaceAll(base64Of(logo), "/", `\/`) // as some write JSON
	f.Do("PATCH", path, `{"logo": "`+escaped+`"}`).Is(200)

	exact := func(most int) string { return `{"name": "` + strings.Repeat(" ", most-13) + `x"}` }
	f.Do("PATCH", path, exact(160<<10)).Is(200)
	f.Do("PATCH", path, exact(160<<10+1)).Is(413, "too-large").Says("A logo has at most 100 KB (102,400 bytes).")
	f.Do("PATCH", path, exact(160<<10+1), binary).Is(413, "too-large")
	f.Do("PATCH", apitest.NodePath(w.Root), exact(64<<10)).Is(200)
	f.Do("PATCH", apitest.NodePath(w.Root), exact(64<<10+1)).Is(413, "too-large")
}

// Whatever the bytes are, they are refused or kept as they are.
func TestALogoIsAPNGOrRefused(t *testing.T) {
	w, f, _ := world(t)
	id := f.Brand(w.Root, "a.example")
	square := noise(t, 48, 48)
	rapid.Check(t, func(r *rapid.T) {
		logo := bytes.Clone(square)
		for range rapid.IntRange(0, 3).Draw(r, "changes") {
			at := rapid.IntRange(0, len(logo)-1).Draw(r, "at")
			switch rapid.SampledFrom([]string{"flip", "cut", "insert", "append"}).Draw(r, "how") {
			case "flip":
				logo[at] ^= rapid.Byte().Draw(r, "by")
			case "cut":
				logo = logo[:max(1, at)]
			case "insert":
				logo = slices.Insert(logo, at, rapid.SliceOfN(rapid.Byte(), 1, 5).Draw(r, "inserted")...)
			case "append":
				logo = append(logo, rapid.SliceOfN(rapid.Byte(), 1, 5).Draw(r, "appended")...)
			}
		}
		answer := f.Do("PATCH", "/v1/brands/"+id, map[string]any{"logo": base64Of(logo)})
		if whole := bytes.Equal(logo, square); whole != (answer.Status == 200) {
			r.Fatalf("%d bytes, the same as they were: %v: %d %s", len(logo), whole, answer.Status, answer.Body)
		}
	})
}

func TestEditsOfABrandAtATime(t *testing.T) {
	w, f, _ := world(t)
	path := "/v1/brands/" + f.Brand(w.Root, "a.example")
	// Without If-Match all are made, one after the other; with it, one.
	at50(func(i int) {
		answer := f.Do("PATCH", path, map[string]any{"color": fmt.Sprintf("#0000%02x", i)})
		if answer.Status != 200 && answer.Get("type") != "/problems/conflict" {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	})
	tag := f.Gets("%s", path).Header["ETag"]
	won := make([]int, 50)
	at50(func(i int) {
		if f.Do("PATCH", path, map[string]any{"color": fmt.Sprintf("#ff00%02x", i)}, apitest.Header("If-Match", tag)).Status == 200 {
			won[i] = 1
		}
	})
	n := 0
	for i, one := range won {
		if n += one; one == 1 && f.Gets("%s", path).Get("color") != fmt.Sprintf("#ff00%02x", i) {
			t.Errorf("edit %d was made and is not there", i)
		}
	}
	if n != 1 {
		t.Errorf("%d edits were made from one version", n)
	}
}

func TestAPurgedBrandIsGoneWithItsLogo(t *testing.T) {
	w, f, vendor := world(t)
	a := f.Partner(w.Root, "A", vendor)
	var ids []string
	for i := range 40 {
		id := f.Brand(a, fmt.Sprintf("a%d.example", i))
		f.Do("PATCH", "/v1/brands/"+id, map[string]any{"logo": base64Of(noise(t, 48, 48))}).Is(200)
		ids = append(ids, id)
	}
	at, err := w.Dir.BrandAt(t.Context(), "a7.example")
	if err != nil || at == nil || string(at.ID) != ids[7] || at.Host() != "admin.a7.example" {
		t.Fatalf("%+v, %v", at, err)
	}
	f.Do("DELETE", apitest.NodePath(a), nil).Is(202)
	if at, err = w.Dir.BrandAt(t.Context(), "a7.example"); err != nil || at == nil {
		t.Errorf("in the trash: %+v, %v", at, err)
	}
	w.Wait(31 * 24 * time.Hour)
	settle := func() {
		for _, e := range w.Store.(*directorytest.Fake).Events() {
			if change := e.Job(); change != "" {
				if _, err := w.Dir.Settle(t.Context(), change, "", time.Minute); err != nil {
					t.Fatal(err)
				}
				if err := w.Dir.Retire(t.Context(), change); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	settle()
	if _, err := w.Dir.Purge(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	// From then on nobody sees it; and when that is settled, nothing is left.
	if at, err = w.Dir.BrandAt(t.Context(), "a7.example"); err != nil || at != nil {
		t.Errorf("purged: %+v, %v", at, err)
	}
	settle()
	for _, id := range ids {
		if _, err := w.Dir.Logo(t.Context(), ident.Brand(id)); err == nil {
			t.Errorf("the logo of %s is left", id)
		}
	}
	if at, err = w.Dir.BrandAt(t.Context(), "a7.example"); err != nil || at != nil {
		t.Errorf("erased: %+v, %v", at, err)
	}
	f.Brand(w.Root, "a7.example")
}
