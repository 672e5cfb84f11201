/** Loaded before anything else (`node --import`): puts one mutation, named by its number in `VEDETTE_MUTATION`, into the product as it is loaded. */
import { registerHooks } from 'node:module'
import { mutations } from './mutations.ts'

const { file, find, replace } = mutations[Number(process.env.VEDETTE_MUTATION)]!
const target = new URL(`../${file}`, import.meta.url).href

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url !== target) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    if (source.split(find).length !== 2) {
      process.stderr.write(`STALE: not exactly once in ${file}: ${find}\n`)
      process.exit(99)
    }
    return { ...loaded, source: source.replace(find, () => replace) }
  },
})
