/** Stands for `node:test` while test files are only read: says which tests and suites they declare, and runs none. See named.ts. */
type Body = (...args: any[]) => unknown

const names: string[] = []
const path: string[] = []

function declared(name: unknown, ...rest: unknown[]): Promise<void> {
  names.push([...path, typeof name === 'string' ? name : ((rest.find(isBody) ?? name) as Body).name].join(' > '))
  return Promise.resolve()
}

function opened(name: string, ...rest: unknown[]): Promise<void> {
  path.push(name)
  const made = rest.find(isBody)?.({ name })
  path.pop()
  // What it declares later nobody can put a path to.
  return made instanceof Promise ? Promise.reject(new Error(`the suite "${name}" is asynchronous`)) : Promise.resolve()
}

const isBody = (value: unknown): value is Body => typeof value === 'function'
const nothing = (): void => {}

/** @returns the names declared since the last call, each with those of its suites before it */
export const taken = (): string[] => names.splice(0)

export const test: any = declared
export { opened as describe, opened as suite }
export const it = declared
export const before = nothing
export const after = nothing
export const beforeEach = nothing
export const afterEach = nothing
export default declared
