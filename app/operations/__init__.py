"""The use cases: one async function each, one transaction each, files named by noun.

An operation takes a `Tx` first, reads and writes through `app.store`, decides with the pure rooms, remembers rings with
`tx.ring(subject)` and never commits: the edge that opened the transaction does. Start with `transaction`.
"""
