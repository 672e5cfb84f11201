#!/usr/bin/env node
/** What is started: says which Node is needed before anything is loaded that an older one cannot read. */

const OLDEST = 24

if (Number.parseInt(process.versions.node, 10) >= OLDEST) await import('./program.ts')
else {
  const found = `${process.versions.node}, ${process.execPath}`
  process.stderr.write(
    `vedette: Node.js ${OLDEST} or newer is needed (found: ${found}): install it from https://nodejs.org\n`,
  )
  process.exitCode = 3
}
