import { fileURLToPath } from 'node:url'

/**
 * The file of a program of ours beside the module that asks: `.ts` when run from source, `.js` when compiled (the compiler
 * rewrites imports, not paths).
 * @param path relative, without ending
 * @param from the asking module's `import.meta.url`
 */
export function entryPoint(path: string, from: string): string {
  return fileURLToPath(new URL(`${path}${from.endsWith('.ts') ? '.ts' : '.js'}`, from))
}
