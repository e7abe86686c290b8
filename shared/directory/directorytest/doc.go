// Package directorytest has a directory.Store that keeps everything in memory (Fake), and the harnesses by which stores and the directory
// are tested. Which one to use:
//
//	to test                                                          use
//	what every store promises                                        a Promise in contract.go (nodes), recordstest.go (records, lists, counts),
//	                                                                 subtrees.go, trash.go or log.go: a function on a story (story.go), which
//	                                                                 remembers the ids that it has used, so that a refusal can be shown to
//	                                                                 have changed nothing. Contract runs them all on a store
//	that two stores cannot be told apart                             Alike: random steps on both
//	that a field of a record is not forgotten                        Contract, in a test of the package that declares the record: it tries
//	                                                                 each kind that its test binary knows. Fill and Unset serve other tests
//	a record without a feature                                       a gadget (gadget.go): fields of every type, lists of every sort
//	moves, suspensions, trash and purges of a random tree            Subtrees: a ranger does the same to a forest of plain maps (forest.go)
//	                                                                 and to the directory, on a store that crashes and is late (observed.go)
//	one operation of the directory, as a story                       newShop in package directory_test (trash_test.go); newBorder adds two
//	                                                                 sides of a move, newParty people and invitations, newBoundary a bound
//	two operations at a time, in every order of their calls          a stage (interleave_test.go) with everyOrder; everyState (orders_test.go)
//	                                                                 does not repeat states, for longer ones
//	that a condition of a transaction is needed                      a duel in sabotage_test.go, named in shownBy; or a line in unmet
//	what was so at a moment in the past                              a chronicle (past_test.go), which records the present as it goes by
//	that a failed call is made good                                  Fake.Before and Fake.After, which fail before and after the call was made
//	the wire to DynamoDB: lost answers, throttling, conflicts        shared/table/tabletest
package directorytest
