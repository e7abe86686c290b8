package operations

import (
	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// What paths name.
var (
	thePartner    = path("id", ident.ParsePartner)
	theCustomer   = path("id", ident.ParseCustomer)
	theBrand      = path("id", ident.ParseBrand)
	theClient     = path("id", ident.ParseClient)
	theJob        = path("id", ident.ParseJob)
	theRequest    = path("id", ident.ParseMoveRequest)
	theInvitation = path("id", ident.ParseInvitation)

	theSecret       = both(theClient, path("secretId", ident.ParseKey))
	theClientAtNode = both(theClient, path("nodeId", ident.ParseNode))
)

// All returns every operation of the contract that the function api serves, by its id: what it reads, what it does, what it answers.
func All(tree *directory.Directory) map[string]api.Operation {
	d := dir{tree}
	return map[string]api.Operation{
		"getMe":             self(d.Me, ok(shape.OfMe)),
		"signOutEverywhere": self(d.signOut, done),

		"search": with(query(shape.Search), d.search, page(shape.OfResult)),

		"createPartner":   with(body(shape.NewPartner), d.CreatePartner, made(shape.OfNode)),
		"getPartner":      on(thePartner, d.Get, thing(shape.OfNode)),
		"editPartner":     onWith(thePartner, body(shape.EditPartner), d.editPartner, thing(shape.OfNode)),
		"listPartners":    onWith(thePartner, query(input.Paging), d.partners, page(shape.OfNode)),
		"listCustomers":   onWith(thePartner, query(shape.ListedCustomers), d.customers, page(shape.OfNode)),
		"getPartnerPath":  on(thePartner, d.path, page(shape.OfStep)),
		"getPartnerTree":  onWith(thePartner, query(shape.Depth), d.toDepth, ok(same[shape.Tree])),
		"listDescendants": onWith(thePartner, query(shape.Descendants), d.descendants, page(shape.OfDescendant)),
		"listTrash":       onWith(thePartner, query(shape.Trash), d.trash, page(shape.OfTrash)),

		"createCustomer":  with(body(shape.NewCustomer), d.CreateCustomer, made(shape.OfNode)),
		"getCustomer":     on(theCustomer, d.Get, thing(shape.OfNode)),
		"editCustomer":    onWith(theCustomer, body(shape.EditCustomer), d.EditCustomer, thing(shape.OfNode)),
		"getCustomerPath": on(theCustomer, d.path, page(shape.OfStep)),

		"movePartner":     onWith(thePartner, body(shape.Move), d.Move, changed(shape.OfChanged)),
		"moveCustomer":    onWith(theCustomer, body(shape.Move), d.Move, changed(shape.OfChanged)),
		"suspendPartner":  onWith(thePartner, body(shape.Suspend), d.Suspend, changed(shape.OfChanged)),
		"suspendCustomer": onWith(theCustomer, body(shape.Suspend), d.Suspend, changed(shape.OfChanged)),
		"resumePartner":   onEmpty(thePartner, d.Resume, changed(shape.OfChanged)),
		"resumeCustomer":  onEmpty(theCustomer, d.Resume, changed(shape.OfChanged)),
		"trashPartner":    on(thePartner, d.Trash, changed(shape.OfChanged)),
		"trashCustomer":   on(theCustomer, d.Trash, changed(shape.OfChanged)),
		"restorePartner":  onEmpty(thePartner, d.Restore, changed(shape.OfChanged)),
		"restoreCustomer": onEmpty(theCustomer, d.Restore, changed(shape.OfChanged)),
		"getJob":          on(theJob, d.Job, ok(shape.OfJob)),

		"previewPartnerMove":       onWith(thePartner, body(shape.Move), d.PreviewMove, ok(shape.OfPreview)),
		"previewCustomerMove":      onWith(theCustomer, body(shape.Move), d.PreviewMove, ok(shape.OfPreview)),
		"requestPartnerMove":       onWith(thePartner, body(shape.AskMove), d.askMove, made(shape.OfRequest)),
		"requestCustomerMove":      onWith(theCustomer, body(shape.AskMove), d.askMove, made(shape.OfRequest)),
		"listMoveRequests":         onWith(thePartner, query(input.Paging), d.MoveRequests, page(shape.OfRequest)),
		"listCustomerMoveRequests": onWith(theCustomer, query(input.Paging), d.MoveRequests, page(shape.OfRequest)),
		"getMoveRequest":           on(theRequest, d.MoveRequest, thing(shape.OfRequest)),
		"acceptMoveRequest":        onEmpty(theRequest, d.AcceptMove, changed(shape.OfAccepted)),
		"declineMoveRequest":       onEmpty(theRequest, d.DeclineMove, thing(shape.OfRequest)),
		"withdrawMoveRequest":      onEmpty(theRequest, d.WithdrawMove, thing(shape.OfRequest)),

		"createBrand": with(body(shape.NewBrand), d.CreateBrand, made(shape.OfBrand)),
		"getBrand":    on(theBrand, d.GetBrand, thing(shape.OfBrand)),
		"editBrand":   onWith(theBrand, body(shape.EditBrand), d.EditBrand, thing(shape.OfBrand)),
		"deleteBrand": on(theBrand, d.deleteBrand, done),
		"listBrands":  on(thePartner, d.brands, ok(same[shape.List[shape.ListedBrand]])),

		"createApiClient":       with(body(shape.NewClient), d.CreateClient, made(shape.OfClientWithKey)),
		"listApiClients":        with(query(shape.Clients), d.clients, page(shape.OfClientSummary)),
		"getApiClient":          on(theClient, d.Client, thing(shape.OfClient)),
		"renameApiClient":       onWith(theClient, body(shape.EditClient), d.RenameClient, thing(shape.OfClient)),
		"revokeApiClient":       on(theClient, d.revokeClient, done),
		"addApiClientSecret":    onWith(theClient, bodyOrNone(shape.SecretEnd), d.AddSecret, made(shape.OfClientWithKey)),
		"removeApiClientSecret": on(theSecret, d.removeSecret, done),
		"grantApiClient":        onWith(theClientAtNode, body(shape.Role), d.grantRole, thing(shape.OfClient)),
		"revokeApiClientGrant":  on(theClientAtNode, d.removeGrant, done),

		"listPartnerUsers":    onWith(thePartner, query(shape.Users), d.users, ok(same[any])),
		"listCustomerUsers":   onWith(theCustomer, query(shape.Users), d.users, ok(same[any])),
		"setPartnerUserRole":  onWith(userAt(thePartner), body(shape.Role), d.setRole, done),
		"setCustomerUserRole": onWith(userAt(theCustomer), body(shape.Role), d.setRole, done),
		"removePartnerUser":   on(userAt(thePartner), d.removeUser, done),
		"removeCustomerUser":  on(userAt(theCustomer), d.removeUser, done),
		"explainAccess":       with(query(shape.Explain), d.explain, ok(shape.OfExplanation)),
		"listPartnerEvents":   onWith(thePartner, query(shape.Events), d.events, page(shape.OfEvent)),
		"listCustomerEvents":  onWith(theCustomer, query(shape.Events), d.events, page(shape.OfEvent)),

		"inviteToPartner":         onWith(thePartner, body(shape.NewInvitation), d.invite, made(shape.OfInvitation)),
		"inviteToCustomer":        onWith(theCustomer, body(shape.NewInvitation), d.invite, made(shape.OfInvitation)),
		"listPartnerInvitations":  onWith(thePartner, query(input.Paging), d.Invitations, page(shape.OfInvitation)),
		"listCustomerInvitations": onWith(theCustomer, query(input.Paging), d.Invitations, page(shape.OfInvitation)),
		"getInvitation":           on(theInvitation, d.Invitation, thing(shape.OfInvitation)),
		"resendInvitation":        onEmpty(theInvitation, d.Resend, thing(shape.OfInvitation)),
		"revokeInvitation":        on(theInvitation, d.RevokeInvitation, thing(shape.OfInvitation)),
	}
}
