import type { Command } from 'commander'
import { printablePage } from '../core/printable.ts'
import { type Redact, type Redactor, redactedIn } from '../core/redact.ts'
import type { Diagnostic } from '../manifest/manifest.ts'
import type { PodSecurity } from '../manifest/podStandards.ts'
import { createOutput } from './output.ts'
import { podSecurityOption } from './podOptions.ts'

interface Options {
  strict?: boolean
  json?: boolean
  podSecurity?: PodSecurity
}

export default function register(program: Command, redactor: Redactor): void {
  program
    .command('validate')
    .description('check manifests: every mistake with its place, all in one run')
    .argument('<file...>', 'YAML files, directories of them, or - for standard input')
    .option('--strict', 'exit 1 for warnings too')
    .option('--json', 'print a JSON array of findings')
    .addOption(podSecurityOption())
    .addHelpText(
      'after',
      '\nErrors are what Argo Events refuses. Warnings are what it accepts but cannot work, and fields that nobody reads.\n' +
        'Advice (on stderr, never an exit code) is about what works but is seldom meant, such as a missing signature check,\n' +
        'and about Pods that a controller with this --pod-security does not make.\n\n' +
        'Examples:\n  vedette validate orders.yaml\n  vedette validate --strict manifests/\n' +
        '  vedette validate --pod-security restricted orders.yaml\n' +
        '  kubectl get eventsources -o yaml | vedette validate -',
    )
    .action((paths: string[], options: Options) => validate(paths, options, redactor))
}

async function validate(
  paths: string[],
  { strict = false, json = false, podSecurity }: Options,
  redactor: Redactor,
): Promise<void> {
  const [{ diagnosticLine, loadManifest, readManifestFiles }, { hideCredentials }] = await Promise.all([
    import('../manifest/load.ts'),
    import('../manifest/credentials.ts'),
  ])
  const files = await readManifestFiles(paths)
  const { manifest, diagnostics, advice } = await loadManifest(files, { podSecurity })
  hideCredentials(manifest, redactor)
  const line = (one: Diagnostic) => `${redactor.redact(diagnosticLine(one))}\n`
  const output = createOutput(process.stdout)
  if (json) await output.write(jsonOf(diagnostics, redactor.redact))
  else for (const diagnostic of diagnostics) await output.write(line(diagnostic))
  await output.flush()
  for (const one of advice) process.stderr.write(line(one))
  for (const { file, line: at, kind, name } of manifest.skipped) {
    process.stderr.write(
      `${file}:${at}: ${JSON.stringify(`${kind}/${name}`)} is skipped: not a kind that Vedette runs\n`,
    )
  }
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  const warnings = diagnostics.length - errors
  process.stderr.write(`${count(files.length, 'file')}: ${count(errors, 'error')}, ${count(warnings, 'warning')}\n`)
  if (errors > 0 || (strict && warnings > 0)) process.exitCode = 1
}

/** A list of findings, indented. */
function jsonOf(diagnostics: readonly Diagnostic[], redact: Redact): string {
  return `${printablePage(JSON.stringify(redactedIn(diagnostics.map(asJson), redact), null, 2))}\n`
}

function asJson({ file, line, column, severity, at, message, remedy, fatal = false }: Diagnostic): object {
  return { file, line, column, severity, path: at, message, remedy: remedy ?? null, fatal }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
