/** The key/value buckets beside the stream. */
/** Positions, snapshots and small values. */
export const BUCKET = 'vedette'
/** Leases alone, so that a full one of the others does not keep anybody from leading. */
export const LEASES = 'vedette-leases'
