package stack

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/graph/graphtest"
)

// doubleLog is the log of the double of Entra in the state folder.
const doubleLog = "entra.log"

// Account is somebody who can sign in at the double of Entra, at once and without a password.
type Account struct{ Tenant, ID, Name, Mail string }

// Accounts are people of the companies of the demo tree. The platform's app is registered in the first one's tenant.
var Accounts = []Account{
	{cloudvendorTenant, "b0000000-0000-4000-8000-000000000001", "Cleo Martin", "cleo@cloudvendor.example"},
	{vazonTenant, "b0000000-0000-4000-8000-000000000002", "Alice Le Page", "alice@vazonbay.example"},
	{vazonTenant, "b0000000-0000-4000-8000-000000000003", "Denis Ogier", "denis@vazonbay.example"},
	{valeTenant, "b0000000-0000-4000-8000-000000000004", "Bea Ozanne", "bea@valetelecom.example"},
	{valeTenant, "b0000000-0000-4000-8000-000000000005", "Émile Torode", "emile@valetelecom.example"},
}

// Tenants of the double.
const (
	cloudvendorTenant = "a0000000-0000-4000-8000-000000000001"
	vazonTenant       = "a0000000-0000-4000-8000-000000000002"
	valeTenant        = "a0000000-0000-4000-8000-000000000003"
)

// BrandApp is the app of a brand of the demo tree, in the tenant of the brand's partner. Only people of that tenant sign in by it, and guests.
var BrandApp = brand.App{Client: "00000000-0000-4000-8000-00000000a993", Tenant: vazonTenant, SingleTenant: true}

// BrandDomain is the brand's. Browsers, and curl, take all names below localhost for this machine.
const BrandDomain = "vazonvoice.localhost"

// BrandHost is the host name of the brand's portal.
func BrandHost() string { return (&brand.Brand{Domain: BrandDomain}).Host() }

// directory is what the double knows: the people, the platform's apps, the first of which is at home at the portal, and that of a brand.
// The platform's second app invites guests, and was let into the brand's tenant to do so.
func directory(entra stage.Entra, graph stage.Graph, portal string) graphtest.Directory {
	tenants := []graphtest.Tenant{
		{ID: cloudvendorTenant, Name: "Cloudvendor", Domains: []string{"cloudvendor.example"}},
		{ID: vazonTenant, Name: "Vazon Bay IT", Domains: []string{"vazonbay.example"},
			Consents: []graphtest.Consent{{App: graph.ClientID, Roles: []string{inviteGuests}}}},
		{ID: valeTenant, Name: "Vale Telecom Services", Domains: []string{"valetelecom.example"}},
	}
	for _, a := range Accounts {
		for i := range tenants {
			if tenants[i].ID == a.Tenant {
				tenants[i].People = append(tenants[i].People, graphtest.Person{ID: a.ID, Name: a.Name, Mail: a.Mail, MailVerified: true})
			}
		}
	}
	signIn := func(id, name, tenant, audience, origin string) graphtest.App {
		return graphtest.App{ID: id, Name: name, Tenant: tenant, Audience: audience, RedirectURIs: []string{origin + "/signin/callback"},
			Secrets: []string{entra.Secret}, Scopes: []string{"access_as_user"}, OptionalClaims: []string{"email", "xms_edov"}}
	}
	return graphtest.Directory{Tenants: tenants, Apps: []graphtest.App{
		signIn(entra.ClientID, "Partner management", cloudvendorTenant, graphtest.MultiTenant, portal),
		signIn(BrandApp.Client, "Vazon Voice", vazonTenant, graphtest.SingleTenant, at(portal, BrandHost())),
		{ID: graph.ClientID, Name: "Partner management: onboarding", Tenant: cloudvendorTenant, Audience: graphtest.MultiTenant,
			Secrets: []string{graph.Secret}, Permissions: []string{inviteGuests}},
	}}
}

// inviteGuests is the application permission of Microsoft Graph that it takes to make guests.
const inviteGuests = "User.Invite.All"

// warden is a shell script around a program that ends by a signal: it sends that when its own input ends, and so when the program that has
// started it ends, however that comes. And it ends when the program does.
const warden = `exec 3<&0; "$@" & ward=$!; { read -r _ <&3; kill $ward; } & wait $ward; kill $! 2>/dev/null`

// remembered is what the double is to know at its start, with the people that an earlier one has left in the file: guests are among them.
// There is no file at first.
func remembered(file string, knows graphtest.Directory) (graphtest.Directory, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return knows, nil
	}
	var left graphtest.Directory
	if err == nil {
		err = json.Unmarshal(content, &left)
	}
	if err != nil {
		return knows, err
	}
	for _, was := range left.Tenants {
		for i := range knows.Tenants {
			if knows.Tenants[i].ID == was.ID {
				knows.Tenants[i].People = was.People
			}
		}
	}
	return knows, nil
}

// startDouble builds the double of Entra, starts it at the port after MiniStack's, and waits until it answers.
func (k kit) startDouble(ctx context.Context, state string, cloudPort int, knows graphtest.Directory) (p *process, url string, err error) {
	done := k.say.step("starting the double of Microsoft Entra ID")
	defer func() { done(err) }()
	port := cloudPort
	if port != 0 {
		port++
	}
	if port, err = freePort(port, cloudPortFlag+", the one before it"); err != nil {
		return nil, "", err
	}
	binary := k.path(".build", "entra")
	if err := k.buildDouble(ctx, binary); err != nil {
		return nil, "", err
	}
	file := filepath.Join(state, "entra.json")
	if knows, err = remembered(file, knows); err != nil {
		return nil, "", err
	}
	content, err := json.Marshal(knows)
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return nil, "", err
	}
	url = "http://localhost:" + strconv.Itoa(port)
	cmd := exec.Command("sh", "-c", warden, "sh",
		binary, "-listen", "127.0.0.1:"+strconv.Itoa(port), "-base", url, "-directory", file, "-keep")
	cmd.Dir = k.root
	if p, err = launch("The double of Entra", cmd, filepath.Join(state, doubleLog)); err != nil {
		return nil, "", err
	}
	return p, url, p.ready(ctx, url+"/common/discovery/v2.0/keys")
}

func (k kit) buildDouble(ctx context.Context, binary string) error {
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(os.MkdirAll(filepath.Dir(binary), 0o755),
		k.run(ctx, os.Environ(), "go", "build", "-buildvcs=false", "-o", binary, "./shared/graph/graphtest/serve"))
}
