package directory

import "errors"

// ErrExists is a Step's failure to add what is there already: a random id came twice, or the same Commit did.
var ErrExists = errors.New("exists already")

// ErrRemembered is Remember's failure: the request was carried out before, or is being carried out elsewhere just now.
var ErrRemembered = errors.New("remembered already")
