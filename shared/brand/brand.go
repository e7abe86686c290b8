// Package brand holds brands: the name and domain under which a partner's portal and service instances appear. The
// Microsoft side of a brand (app registrations, publisher verification) is not part of the record yet.
package brand

import (
	"regexp"
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// State is how far a brand is.
type State string

// Draft is a brand whose app registrations do not exist yet.
const Draft State = "draft"

// MaxRegions is how many regions a brand may offer.
const MaxRegions = 20

// Brand belongs to the partner that made it.
type Brand struct {
	ID      ident.Brand
	Owner   ident.Node
	Name    hierarchy.Name
	Domain  string   // DNS name, unique on the platform: admin.<domain> is the portal
	Regions []string // AWS regions in which services under this brand may run; sorted
	State   State
	Version int64
	Created time.Time
}

var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[1-9]$`)

// ValidRegion reports whether s has the form of an AWS region, such as eu-west-1.
func ValidRegion(s string) bool { return len(s) <= 30 && region.MatchString(s) }
