package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// NoteUsesEvery is how often the use of a secret is noted by a process that serves requests: a note says what is true to about that long.
const NoteUsesEvery = time.Hour

// keepUses is how long it is known that a secret was used.
const keepUses = 400 * 24 * time.Hour

// uses are kept as records: when a secret was last used. They are apart from the client, whose version and ETag a use does not change.
var uses = record.NewKind("use", func(id ident.Key) *use { return &use{Key: id} })

type use struct {
	Key ident.Key
	At  time.Time
}

// Ref implements record.Record.
func (u *use) Ref() record.Ref { return uses.Ref(u.Key) }

// Lists implements record.Record.
func (u *use) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (u *use) Code(c *record.Coder) {
	c.Time("at", &u.At)
	kept := u.At.Add(keepUses)
	c.Expires(&kept)
}

// NoteUse notes that a secret of an API client is used now. Of several notes at a time any may be the last one.
func (d *Directory) NoteUse(ctx context.Context, key ident.Key) error {
	return d.store.Commit(ctx, Put{Now: &use{key, d.now()}, Any: true})
}

// lastUsed reads when secrets were last used.
func (d *Directory) lastUsed(ctx context.Context, secrets []access.Secret) (map[ident.Key]time.Time, error) {
	var keys []ident.Key
	for _, s := range secrets {
		keys = append(keys, s.ID)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	got, err := d.store.Read(ctx, Want{Records: uses.Refs(keys...)})
	if err != nil {
		return nil, err
	}
	at := map[ident.Key]time.Time{}
	for _, key := range keys {
		if u := uses.In(got.Records, key); u != nil {
			at[key] = u.At
		}
	}
	return at, nil
}
