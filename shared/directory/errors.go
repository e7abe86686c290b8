package directory

import "errors"

// ErrExists is a Step's failure to add what is there already: a random id came twice, or the same Commit did.
var ErrExists = errors.New("exists already")

// ErrMailBegun says that the mailing of a link was begun before, and what became of it is not noted.
var ErrMailBegun = errors.New("the mail was begun before")
