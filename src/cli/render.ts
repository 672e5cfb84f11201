import type { Command } from 'commander'
import type { Redactor } from '../core/redact.ts'
import type { EventSource, Manifest } from '../manifest/manifest.ts'
import { createOutput } from './output.ts'

interface Options {
  json?: boolean
  image?: string
  natsPermissions?: boolean
  kafkaAcls?: boolean
}

export default function register(program: Command, redactor: Redactor): void {
  program
    .command('render')
    .description('print the Kubernetes objects that the controller would apply')
    .argument('<file...>', 'YAML files of EventSources and EventBuses, directories of them, or - for standard input')
    .option('--json', 'print one JSON List')
    .option(
      '--image <image>',
      'of EventSource Pods: the one that the controller was installed with (default $VEDETTE_IMAGE)',
    )
    .option(
      '--nats-permissions',
      'print in their place what a NATS user needs who serves one EventSource: one for each',
    )
    .option(
      '--kafka-acls',
      'print in their place the ACLs that a Kafka principal needs who serves one EventSource: for each whose EventBus is Kafka',
    )
    .addHelpText(
      'after',
      '\nNothing is asked of a cluster: uids and Secrets with random content are left out, and notes go to standard error.\n' +
        'VEDETTE_IMAGE and IMAGE_PULL_POLICY are read as the controller reads them.\n\n' +
        'Examples:\n  vedette render orders.yaml bus.yaml\n' +
        '  vedette render --image registry.example/vedette:0.1.0 orders.yaml bus.yaml | kubectl diff -f -\n' +
        '  vedette render --nats-permissions orders.yaml\n  vedette render --kafka-acls orders.yaml bus.yaml',
    )
    .action((paths: string[], options: Options) => renderFiles(paths, options, redactor))
}

async function renderFiles(
  paths: string[],
  { json = false, image, natsPermissions = false, kafkaAcls = false }: Options,
  redactor: Redactor,
): Promise<void> {
  const [
    { diagnosticLine, loadManifest, readManifestFiles },
    { hideCredentials },
    { render },
    { settingsFrom },
    { yamlText },
  ] = await Promise.all([
    import('../manifest/load.ts'),
    import('../manifest/credentials.ts'),
    import('../controller/render.ts'),
    import('../controller/settings.ts'),
    import('../controller/yamlText.ts'),
  ])
  const loaded = await loadManifest(await readManifestFiles(paths))
  hideCredentials(loaded.manifest, redactor)
  const errors = loaded.diagnostics.filter(({ severity }) => severity === 'error')
  for (const error of errors) process.stderr.write(`${redactor.redact(diagnosticLine(error))}\n`)
  if (errors.length > 0) process.exitCode = 1
  if (natsPermissions) return await renderUsers(loaded.manifest.eventSources, json)
  if (kafkaAcls) return await renderAcls(loaded.manifest, json, redactor)
  const settings = settingsFrom(process.env)
  const { objects, notes } = render(loaded, { ...settings, image: image ?? settings.image })
  const output = createOutput(process.stdout)
  if (json) await output.write(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2)}\n`)
  else await output.write(yamlText(objects))
  await output.flush()
  for (const note of notes) process.stderr.write(`# ${redactor.redact(note)}\n`)
}

/** As text for `users` of a NATS server's configuration, or as one JSON list. */
async function renderUsers(sources: EventSource[], json: boolean): Promise<void> {
  const { busUses, natsPermissions, natsUserText } = await import('../runtime/natsPermissions.ts')
  const users = await Promise.all(
    sources.map(async (source) => ({ source, permissions: natsPermissions(source, await busUses(source.entries)) })),
  )
  const output = createOutput(process.stdout)
  if (json) {
    const list = users.map(({ source: { namespace, name }, permissions }) => ({ namespace, name, ...permissions }))
    await output.write(`${JSON.stringify(list, null, 2)}\n`)
  } else {
    for (const { source, permissions } of users) await output.write(`${natsUserText(source, permissions)}\n`)
  }
  await output.flush()
}

/** As commands, or as one JSON list. */
async function renderAcls({ eventSources, eventBuses }: Manifest, json: boolean, { redact }: Redactor): Promise<void> {
  const [{ busUses }, { kafkaAcls, kafkaAclsText }, { renderingOf }] = await Promise.all([
    import('../runtime/natsPermissions.ts'),
    import('../runtime/kafkaAcls.ts'),
    import('../buses/index.ts'),
  ])
  const output = createOutput(process.stdout)
  const list: object[] = []
  for (const source of eventSources) {
    const { namespace, name, eventBusName } = source
    const bus = eventBuses.find((one) => one.namespace === namespace && one.name === eventBusName)
    const why =
      bus === undefined ? `no EventBus ${eventBusName} in the files` : `its EventBus is ${bus.kind}, not kafka`
    if (bus?.kind !== 'kafka') {
      process.stderr.write(`# ${redact(`EventSource ${name}: ${why}`)}\n`)
      continue
    }
    const rendering = renderingOf(bus)
    if (rendering.what !== 'address') continue
    const { topic } = rendering.config.kafka as { topic: string }
    const acls = kafkaAcls(source, await busUses(source.entries), topic)
    if (json) list.push({ namespace, name, topic, acls })
    else await output.write(`${kafkaAclsText(source, acls)}\n`)
  }
  if (json) await output.write(`${JSON.stringify(list, null, 2)}\n`)
  await output.flush()
}
