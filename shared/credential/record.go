package credential

import "example.com/partnertree/shared/record"

// TheKeyring is the id of the one keyring.
const TheKeyring = "1"

// Keyrings are kept as records, of which there is one.
var Keyrings = record.NewKind("keyring", func(string) *Keyring { return new(Keyring) })

// Ref implements record.Record.
func (r *Keyring) Ref() record.Ref { return Keyrings.Ref(TheKeyring) }

// Lists implements record.Record.
func (r *Keyring) Lists() []record.Entry { return nil }

// Code implements record.Record. The version is the id of the newest key.
func (r *Keyring) Code(c *record.Coder) {
	record.Each(c, "keys", (*[]Key)(r), func(c *record.Coder, k *Key) {
		record.Number(c, "id", &k.ID)
		secret := k.Secret[:]
		c.Bytes("secret", &secret)
		if len(secret) != len(k.Secret) {
			c.Fail("secret")
		}
		copy(k.Secret[:], secret)
		c.Time("created", &k.Created)
	})
	var newest int64
	if len(*r) == 0 {
		c.Fail("keys")
	} else {
		newest = int64((*r)[0].ID)
	}
	c.Version(&newest)
}
