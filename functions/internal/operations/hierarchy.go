package operations

import (
	"context"
	"fmt"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// tree has the operations on partners and customers, and on where they are.
func tree(d *directory.Directory) map[string]api.Operation {
	return map[string]api.Operation{
		"getMe": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			if err := api.NoQuery(r); err != nil {
				return api.Reply{}, err
			}
			me, err := d.Me(ctx, r.Caller)
			if err != nil {
				return api.Reply{}, err
			}
			return api.OK(meShape(me), 0)
		},
		"createPartner": createNode(readNewPartner, d.CreatePartner),
		"getPartner":    getNode(d, ident.ParsePartner),
		"editPartner": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := api.Path(r, "id", ident.ParsePartner)
			if err != nil {
				return api.Reply{}, err
			}
			patch, can, err := readPartnerPatch(r)
			if err != nil {
				return api.Reply{}, err
			}
			if can != nil {
				return foundNode(d.SetCanProvision(ctx, r.Caller, id, *can))
			}
			return foundNode(d.EditPartner(ctx, r.Caller, id, patch))
		},
		"listPartners":   listChildren(d, hierarchy.Partner),
		"listCustomers":  listChildren(d, hierarchy.Customer),
		"getPartnerPath": getPath(d, ident.ParsePartner),
		"getPartnerTree": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := api.Path(r, "id", ident.ParsePartner)
			if err != nil {
				return api.Reply{}, err
			}
			q := api.ReadQuery(r)
			depth := q.Int("depth", 2, 1, directory.MaxTreeDepth)
			if err := q.Err(); err != nil {
				return api.Reply{}, err
			}
			tree, err := d.Tree(ctx, r.Caller, id, depth)
			if err != nil {
				return api.Reply{}, err
			}
			return api.OK(treeShape(tree, depth), 0)
		},
		"listDescendants": listBelow(d.Descendants, descendantShape),
		"createCustomer":  createNode(readNewCustomer, d.CreateCustomer),
		"getCustomer":     getNode(d, ident.ParseCustomer),
		"editCustomer": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := api.Path(r, "id", ident.ParseCustomer)
			if err != nil {
				return api.Reply{}, err
			}
			patch, err := readCustomerPatch(r)
			if err != nil {
				return api.Reply{}, err
			}
			return foundNode(d.EditCustomer(ctx, r.Caller, id, patch))
		},
		"getCustomerPath": getPath(d, ident.ParseCustomer),

		"movePartner":     change(ident.ParsePartner, readMove, d.Move),
		"suspendPartner":  change(ident.ParsePartner, readSuspension, d.Suspend),
		"resumePartner":   change(ident.ParsePartner, readNothing, alone(d.Resume)),
		"moveCustomer":    change(ident.ParseCustomer, readMove, d.Move),
		"suspendCustomer": change(ident.ParseCustomer, readSuspension, d.Suspend),
		"resumeCustomer":  change(ident.ParseCustomer, readNothing, alone(d.Resume)),
		"getChange": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseChange)
			if err != nil {
				return api.Reply{}, err
			}
			p, err := d.Change(ctx, r.Caller, id)
			if err != nil {
				return api.Reply{}, err
			}
			return api.OK(changeShape(&p), 0)
		},

		"trashPartner":    change(ident.ParsePartner, noBody, alone(d.Trash)),
		"restorePartner":  change(ident.ParsePartner, readNothing, alone(d.Restore)),
		"trashCustomer":   change(ident.ParseCustomer, noBody, alone(d.Trash)),
		"restoreCustomer": change(ident.ParseCustomer, readNothing, alone(d.Restore)),
		"listTrash":       listBelow(d.TrashList, trashShape),

		"previewPartnerMove":       previewMove(d, ident.ParsePartner),
		"previewCustomerMove":      previewMove(d, ident.ParseCustomer),
		"requestPartnerMove":       askMove(d, ident.ParsePartner),
		"requestCustomerMove":      askMove(d, ident.ParseCustomer),
		"listMoveRequests":         listAt(ident.ParsePartner, d.MoveRequests, requestShape),
		"listCustomerMoveRequests": listAt(ident.ParseCustomer, d.MoveRequests, requestShape),
		"getMoveRequest": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseMoveRequest)
			if err != nil {
				return api.Reply{}, err
			}
			return foundRequest(d.MoveRequest(ctx, r.Caller, id))
		},
		"acceptMove":   change(ident.ParseMoveRequest, readNothing, alone(d.AcceptMove)),
		"declineMove":  closeRequest(d.DeclineMove),
		"withdrawMove": closeRequest(d.WithdrawMove),
	}
}

// change is an operation on a whole subtree: what it takes beside the id in the path is in the body.
func change[ID, In any](parse func(string) (ID, error), body func(*api.Request) (In, error),
	do func(context.Context, directory.Caller, ID, In) (directory.Changed, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		in, err := body(r)
		if err != nil {
			return api.Reply{}, err
		}
		done, err := do(ctx, r.Caller, id, in)
		switch {
		case err != nil:
			return api.Reply{}, err
		case done.Change == nil:
			return foundNode(done.Node, nil)
		}
		return api.Reply{Status: 202, Location: "/v1/changes/" + string(done.Change.ID), Body: changeShape(done.Change)}, nil
	}
}

// alone is a change that takes nothing beside the id.
func alone[ID any](do func(context.Context, directory.Caller, ID) (directory.Changed, error)) func(context.Context, directory.Caller, ID, struct{}) (
	directory.Changed, error) {
	return func(ctx context.Context, c directory.Caller, id ID, _ struct{}) (directory.Changed, error) {
		return do(ctx, c, id)
	}
}

func getNode(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		return foundNode(d.Get(ctx, r.Caller, id))
	}
}

func getPath(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		path, err := d.Path(ctx, r.Caller, id)
		return list(directory.List[directory.PathStep]{Items: path}, err, stepShape)
	}
}

// listAt lists, page by page, what belongs to the node in the path.
func listAt[From, To any](parse func(string) (ident.Node, error),
	do func(context.Context, directory.Caller, ident.Node, directory.Paging) (directory.List[From], error), shape func(From) To) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := api.Path(r, "id", parse)
		if err != nil {
			return api.Reply{}, err
		}
		q := api.ReadQuery(r)
		paging := q.Paging()
		if err := q.Err(); err != nil {
			return api.Reply{}, err
		}
		found, err := do(ctx, r.Caller, id, paging)
		return list(found, err, shape)
	}
}

func listChildren(d *directory.Directory, kind hierarchy.Kind) api.Operation {
	children := func(ctx context.Context, c directory.Caller, id ident.Node, p directory.Paging) (directory.List[directory.Node], error) {
		return d.Children(ctx, c, id, kind, p)
	}
	return listAt(ident.ParsePartner, children, nodeShape)
}

// listBelow lists what is at any depth below a partner, of one kind or of both.
func listBelow[From, To any](do func(context.Context, directory.Caller, ident.Node, hierarchy.Kind, directory.Paging) (directory.List[From], error),
	shape func(From) To) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := api.Path(r, "id", ident.ParsePartner)
		if err != nil {
			return api.Reply{}, err
		}
		q := api.ReadQuery(r)
		kind := api.OneOf(q, "kind", hierarchy.Partner, hierarchy.Customer)
		paging := q.Paging()
		if err := q.Err(); err != nil {
			return api.Reply{}, err
		}
		found, err := do(ctx, r.Caller, id, kind, paging)
		return list(found, err, shape)
	}
}

// plainID is for operations whose only input is the id in the path.
func plainID[T any](r *api.Request, parse func(string) (T, error)) (T, error) {
	id, err := api.Path(r, "id", parse)
	if err == nil {
		err = api.NoQuery(r)
	}
	return id, err
}

func foundNode(n directory.Node, err error) (api.Reply, error) {
	if err != nil {
		return api.Reply{}, err
	}
	return api.OK(nodeShape(n), n.Version)
}

func createNode[In any](body func(*api.Request) (In, error), do func(context.Context, directory.Caller, In) (directory.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		in, err := body(r)
		if err != nil {
			return api.Reply{}, err
		}
		n, err := do(ctx, r.Caller, in)
		if err != nil {
			return api.Reply{}, err
		}
		return api.Created(fmt.Sprintf("/v1/%ss/%s", n.Kind(), n.ID), n.Version, nodeShape(n))
	}
}

// Requests.

func readNewPartner(r *api.Request) (directory.NewPartner, error) {
	in, err := api.Body[struct {
		Parent       api.Opt[string]   `json:"parentId"`
		Name         api.Opt[string]   `json:"name"`
		Portal       api.Opt[string]   `json:"portalBrandId"`
		Available    api.Opt[[]string] `json:"availableBrandIds"`
		CanProvision api.Opt[bool]     `json:"canProvisionServices"`
	}](r)
	if err != nil {
		return directory.NewPartner{}, err
	}
	var f fault.Fields
	out := directory.NewPartner{
		Parent:       api.Required(&f, "/parentId", in.Parent, ident.ParsePartner),
		Name:         api.Required(&f, "/name", in.Name, hierarchy.ParseName),
		Portal:       api.Required(&f, "/portalBrandId", in.Portal, ident.ParseBrand),
		Available:    api.Required(&f, "/availableBrandIds", in.Available, brandIDs(&f)),
		CanProvision: api.Required(&f, "/canProvisionServices", in.CanProvision, api.As),
	}
	return out, f.Err()
}

func brandIDs(f *fault.Fields) func([]string) ([]ident.Brand, error) {
	return api.Each(f, "/availableBrandIds", 0, hierarchy.MaxBrands, ident.ParseBrand)
}

// readPartnerPatch also reads whether the partner can provision services, which is a change of the whole subtree and comes alone;
// nil: it stays as it is.
func readPartnerPatch(r *api.Request) (directory.PartnerPatch, *bool, error) {
	in, err := api.Body[struct {
		Name         api.Opt[string]   `json:"name"`
		Portal       api.Opt[string]   `json:"portalBrandId"`
		Available    api.Opt[[]string] `json:"availableBrandIds"`
		CanProvision api.Opt[bool]     `json:"canProvisionServices"`
	}](r)
	if err != nil {
		return directory.PartnerPatch{}, nil, err
	}
	var f fault.Fields
	can := api.Optional(&f, "/canProvisionServices", in.CanProvision, api.As)
	if can != nil && (in.Name.Set || in.Portal.Set || in.Available.Set) {
		f.Add("/canProvisionServices", "counts for the whole subtree: send it alone, and the other fields in another request")
	}
	out := directory.PartnerPatch{
		Name:      api.Optional(&f, "/name", in.Name, hierarchy.ParseName),
		Portal:    api.Optional(&f, "/portalBrandId", in.Portal, ident.ParseBrand),
		Available: api.Optional(&f, "/availableBrandIds", in.Available, brandIDs(&f)),
	}
	return out, can, f.Err()
}

func readNewCustomer(r *api.Request) (directory.NewCustomer, error) {
	in, err := api.Body[struct {
		Partner   api.Opt[string] `json:"partnerId"`
		Name      api.Opt[string] `json:"name"`
		Brand     api.Opt[string] `json:"brandId"`
		Reference api.Opt[string] `json:"reference"`
		Tenant    api.Opt[string] `json:"tenantId"`
		Domain    api.Opt[string] `json:"domain"`
	}](r)
	if err != nil {
		return directory.NewCustomer{}, err
	}
	var f fault.Fields
	out := directory.NewCustomer{
		Partner: api.Required(&f, "/partnerId", in.Partner, ident.ParsePartner),
		Name:    api.Required(&f, "/name", in.Name, hierarchy.ParseName),
		Details: hierarchy.Details{
			Brand:     api.Required(&f, "/brandId", in.Brand, ident.ParseBrand),
			Reference: orEmpty(api.Clearable(&f, "/reference", in.Reference, hierarchy.ParseReference)),
			Tenant:    orEmpty(api.Clearable(&f, "/tenantId", in.Tenant, hierarchy.ParseTenant)),
			Domain:    orEmpty(api.Clearable(&f, "/domain", in.Domain, hierarchy.ParseDomain)),
		},
	}
	return out, f.Err()
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func readCustomerPatch(r *api.Request) (directory.CustomerPatch, error) {
	in, err := api.Body[struct {
		Name      api.Opt[string] `json:"name"`
		Brand     api.Opt[string] `json:"brandId"`
		Reference api.Opt[string] `json:"reference"`
		Tenant    api.Opt[string] `json:"tenantId"`
		Domain    api.Opt[string] `json:"domain"`
	}](r)
	if err != nil {
		return directory.CustomerPatch{}, err
	}
	if in.Brand.Set {
		e := fault.Immutable.New("A customer keeps its brand for good. Leave brandId out, or create another customer.")
		e.Fields = []fault.Field{{Pointer: "/brandId", Detail: "cannot change"}}
		return directory.CustomerPatch{}, e
	}
	var f fault.Fields
	out := directory.CustomerPatch{
		Name:      api.Optional(&f, "/name", in.Name, hierarchy.ParseName),
		Reference: api.Clearable(&f, "/reference", in.Reference, hierarchy.ParseReference),
		Tenant:    api.Clearable(&f, "/tenantId", in.Tenant, hierarchy.ParseTenant),
		Domain:    api.Clearable(&f, "/domain", in.Domain, hierarchy.ParseDomain),
	}
	return out, f.Err()
}

func readMove(r *api.Request) (ident.Node, error) {
	in, err := api.Body[struct {
		Parent api.Opt[string] `json:"parentId"`
	}](r)
	if err != nil {
		return "", err
	}
	var f fault.Fields
	to := api.Required(&f, "/parentId", in.Parent, ident.ParsePartner)
	return to, f.Err()
}

func readSuspension(r *api.Request) (string, error) {
	in, err := api.Body[struct {
		Reason api.Opt[string] `json:"reason"`
	}](r)
	if err != nil {
		return "", err
	}
	var f fault.Fields
	reason := api.Required(&f, "/reason", in.Reason, hierarchy.ParseReason)
	return reason, f.Err()
}

func readNothing(r *api.Request) (struct{}, error) { return api.Body[struct{}](r) }

func noBody(*api.Request) (struct{}, error) { return struct{}{}, nil }

// Answers.

type status string

func statusOf(suspendedAt, trashedAt ident.Node) status {
	switch {
	case trashedAt != "":
		return "trashed"
	case suspendedAt != "":
		return "suspended"
	}
	return "active"
}

type subtreeChange struct {
	ID      ident.Change            `json:"id"`
	Kind    hierarchy.ChangeKind    `json:"kind"`
	Node    ident.Node              `json:"nodeId"`
	State   directory.ProgressState `json:"state"`
	Nodes   int64                   `json:"nodes"`
	Started string                  `json:"startedAt"`
	Updated string                  `json:"updatedAt"`
}

func changeShape(p *directory.Progress) subtreeChange {
	return subtreeChange{p.ID, p.Kind, p.Node, p.State, p.Nodes, stamp(p.Started), stamp(p.Updated)}
}

type partner struct {
	ID           ident.Node     `json:"id"`
	Kind         hierarchy.Kind `json:"kind"`
	Name         hierarchy.Name `json:"name"`
	Parent       ident.Node     `json:"parentId,omitzero"`
	Portal       ident.Brand    `json:"portalBrandId,omitzero"`
	Available    []ident.Brand  `json:"availableBrandIds"`
	CanProvision bool           `json:"canProvisionServices"`
	Status       status         `json:"status"`
	SuspendedAt  ident.Node     `json:"suspendedAt,omitzero"`
	TrashedAt    ident.Node     `json:"trashedAt,omitzero"`
	Version      int64          `json:"version"`
	Created      string         `json:"createdAt"`
	Updated      string         `json:"updatedAt"`
}

type customer struct {
	ID          ident.Node     `json:"id"`
	Kind        hierarchy.Kind `json:"kind"`
	Name        hierarchy.Name `json:"name"`
	Partner     ident.Node     `json:"partnerId,omitzero"`
	Reference   string         `json:"reference,omitzero"`
	Brand       ident.Brand    `json:"brandId"`
	Tenant      string         `json:"tenantId,omitzero"`
	Domain      string         `json:"domain,omitzero"`
	Status      status         `json:"status"`
	SuspendedAt ident.Node     `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node     `json:"trashedAt,omitzero"`
	Version     int64          `json:"version"`
	Created     string         `json:"createdAt"`
	Updated     string         `json:"updatedAt"`
}

func nodeShape(n directory.Node) any {
	parent := n.Parent
	if !n.ParentVisible {
		parent = ""
	}
	if n.Kind() == hierarchy.Customer {
		return customer{n.ID, n.Kind(), n.Name, parent, n.Details.Reference, n.Details.Brand, n.Details.Tenant, n.Details.Domain,
			statusOf(n.SuspendedAt, n.TrashedAt), n.SuspendedAt, n.TrashedAt, n.Version, stamp(n.Created), stamp(n.Updated)}
	}
	return partner{n.ID, n.Kind(), n.Name, parent, n.Brands.Portal, n.Brands.Available, n.CanProvision,
		statusOf(n.SuspendedAt, n.TrashedAt), n.SuspendedAt, n.TrashedAt, n.Version, stamp(n.Created), stamp(n.Updated)}
}

type step struct {
	ID   ident.Node     `json:"id"`
	Kind hierarchy.Kind `json:"kind"`
	Name hierarchy.Name `json:"name"`
}

func stepShape(s directory.PathStep) step { return step{s.ID, hierarchy.KindOf(s.ID), s.Name} }

type me struct {
	Principal struct {
		ID   ident.Principal `json:"id"`
		Kind string          `json:"kind"`
		Name hierarchy.Name  `json:"name,omitzero"`
	} `json:"principal"`
	Grants []myGrant `json:"grants"`
}

type myGrant struct {
	Node step   `json:"node"`
	Role string `json:"role"`
	Path []step `json:"path"`
}

func meShape(m directory.Me) me {
	var out me
	out.Principal.ID, out.Principal.Kind, out.Principal.Name = m.ID, kindOf(m.ID), m.Name
	out.Grants = each(m.Grants, func(g directory.MyGrant) myGrant {
		return myGrant{stepShape(g.Node), g.Role.String(), each(g.Path, stepShape)}
	})
	return out
}

type treeAnswer struct {
	Root  treeNode `json:"root"`
	Depth int      `json:"depth"`
	Nodes int      `json:"nodes"`
	Cut   bool     `json:"cut"`
}

type treeNode struct {
	step
	Status      status      `json:"status"`
	SuspendedAt ident.Node  `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node  `json:"trashedAt,omitzero"`
	Children    *[]treeNode `json:"children,omitzero"`
	Cut         *cut        `json:"cut,omitzero"`
}

type cut struct {
	Reason string `json:"reason"`
}

func treeShape(t directory.Tree, depth int) treeAnswer {
	return treeAnswer{treeNodeShape(t.Root), depth, t.Nodes, t.Cut}
}

func treeNodeShape(n *directory.TreeNode) treeNode {
	out := treeNode{step: stepShape(n.PathStep), Status: statusOf(n.SuspendedAt, n.TrashedAt), SuspendedAt: n.SuspendedAt, TrashedAt: n.TrashedAt}
	if n.Opened {
		children := each(n.Children, treeNodeShape)
		out.Children = &children
	}
	if n.Cut != "" {
		out.Cut = &cut{n.Cut}
	}
	return out
}

type descendant struct {
	step
	Status      status       `json:"status"`
	SuspendedAt ident.Node   `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node   `json:"trashedAt,omitzero"`
	Path        []ident.Node `json:"path"`
}

func descendantShape(d directory.Descendant) descendant {
	return descendant{stepShape(d.PathStep), statusOf(d.SuspendedAt, d.TrashedAt), d.SuspendedAt, d.TrashedAt, d.Path}
}

type trashItem struct {
	descendant
	Deleted string `json:"deletedAt"`
	Purge   string `json:"purgeAfter"`
}

func trashShape(t directory.TrashItem) trashItem {
	return trashItem{descendantShape(t.Descendant), stamp(t.Since), stamp(t.Since.Add(hierarchy.KeepTrash))}
}
