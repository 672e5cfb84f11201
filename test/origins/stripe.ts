/** Stripe, which signs what it sends. */
import { stripeSignature } from '../servers/fakes/stripe.ts'
import { context, httpContract, selector } from './http.ts'

const stripeEvent = (n: number) => JSON.stringify({ id: `evt_${n}`, type: 'charge.succeeded', data: { object: {} } })

export const contract = httpContract(
  (port) => ({ webhook: context(port), signingSecret: selector }),
  (n) => ({ 'stripe-signature': stripeSignature(stripeEvent(n), 'whsec') }),
  { bodyOf: stripeEvent, secrets: { 's/k': 'whsec' } },
)
