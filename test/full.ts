/** The length in which tests repeat and multiply what they do once in the others: `npm run test:full`. */
export const FULL = process.env.VEDETTE_FULL === '1'
