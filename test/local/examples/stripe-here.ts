/** Loaded into every process of a run (`node --import`): Stripe is at `$VEDETTE_TEST_STRIPE`. */
const real = globalThis.fetch

globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input)
  if (url.hostname !== 'api.stripe.com') return real(input, init)
  return real(new URL(`${url.pathname}${url.search}`, process.env.VEDETTE_TEST_STRIPE), init)
}
