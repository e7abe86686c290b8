// Package setting has the names of the environment variables that infra gives to functions. What comes with AWS itself, like AWS_REGION,
// is not among them (package awsenv).
package setting

const (
	Stage = "STAGE"      // settle, notify: the stage's name, by which their metrics are told apart
	Table = "TABLE_NAME" // every function that reads or writes the table

	Bus         = "BUS_NAME"              // relay: where events go
	Undelivered = "UNDELIVERED_QUEUE_URL" // relay: where events go that the bus refuses

	EntraAuthority = "ENTRA_AUTHORITY" // authorizer, portal, guests: where people and apps sign in, scheme and host; not set: Microsoft's global cloud
	EntraClient    = "ENTRA_CLIENT_ID" // authorizer, portal: the platform's own app; not set: nobody signs in, at any host
	EntraTenants   = "ENTRA_TENANTS"   // authorizer, portal: whom that app lets in: any, or ids of tenants with commas between; not set: nobody
	EntraSecret    = "ENTRA_SECRET"    // portal: the secret of all apps; of the local stage only
	EntraFederated = "ENTRA_FEDERATED" // portal: 1 when the apps trust its role instead

	GraphClient    = "GRAPH_CLIENT_ID" // guests: the platform's app that partners' administrators consent to
	GraphSecret    = "GRAPH_SECRET"    // guests: the secret of that app; of the local stage only
	GraphFederated = "GRAPH_FEDERATED" // guests: 1 when that app trusts its role instead
	GraphURL       = "GRAPH_URL"       // guests: where Microsoft Graph is, scheme and host; not set: that of the global cloud
	Guests         = "GUESTS_FUNCTION" // notify: the name of the function guests

	PortalHosts  = "PORTAL_HOSTS"  // authorizer, portal: the platform's own host names, with commas between, besides the API's
	PortalOrigin = "PORTAL_ORIGIN" // notify: where links lead, scheme and host; authorizer, portal: in the local stage only, in the place of all hosts

	MailFrom = "MAIL_FROM"              // notify: the platform's name and the address that mails come from: Name <name@domain>
	MailSet  = "MAIL_CONFIGURATION_SET" // notify: of Amazon SES, which tells what becomes of mails
)
