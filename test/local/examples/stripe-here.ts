/** Loaded into every process of a run (`node --import`): Stripe is at `$VEDETTE_TEST_STRIPE`. */
import { Agent } from 'undici'

const real = Agent.prototype.dispatch

Agent.prototype.dispatch = function (options, handler) {
  const stripe = String(options.origin) === 'https://api.stripe.com'
  return real.call(this, stripe ? { ...options, origin: process.env.VEDETTE_TEST_STRIPE! } : options, handler)
}
