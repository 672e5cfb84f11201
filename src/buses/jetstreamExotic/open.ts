/** NATS JetStream, with what replicas elect their leader by there. */
import { sourceKey } from '../../bus/bus.ts'
import { openJetStream } from '../../bus/jetstream/bus.ts'
import { inboxOf } from '../../bus/jetstream/inbox.ts'
import { connectNats, type TlsFiles } from '../../clients/nats.ts'
import { jetstreamLock } from '../../ha/locks/jetstream-kv.ts'
import { graftOutsiders } from '../../ha/peers/graft.ts'
import { noRespondersPeers } from '../../ha/peers/no-responders.ts'
import type { SecretKeySelector } from '../../source.ts'
import type { ElectingBus, OpenOptions } from '../definition.ts'
import type { JetstreamExoticSpec } from '../jetstreamExotic.ts'
import type { BusTls } from '../schemas.ts'
import { addressesIn, credentialsIn } from './addresses.ts'

/** Connects in the background, for ever. */
export function openJetstreamExotic(
  { url = '', accessSecret, streamConfig = '', tls }: JetstreamExoticSpec,
  { namespace, secrets, access, session, serves, clock, log }: OpenOptions,
): ElectingBus {
  const { servers, credentials } = addressesIn(url)
  const login = async () => {
    if (credentials !== null || accessSecret === undefined) return credentials
    return credentialsIn(await (access?.(accessSecret) ?? secrets.secret(namespace, accessSecret)))
  }
  const client = connectNats({
    servers,
    name: `vedette ${session}`,
    inbox: serves === undefined ? undefined : inboxOf(serves),
    credentials: login,
    ...(tls === undefined
      ? {}
      : {
          tls: {
            insecureSkipVerify: tls.insecureSkipVerify === true,
            files: () => tlsFiles(tls, (selector) => secrets.secret(namespace, selector)),
          },
        }),
    clock,
    log,
  })
  const bus = openJetStream({ client, streamConfig, clock, log })
  return {
    bus,
    electionFor(source) {
      const name = sourceKey(source)
      const lock = jetstreamLock({ leases: bus.leases, client, name })
      const peers = noRespondersPeers({ client, lock, name, clock })
      const outsiders = graftOutsiders({ client, source, clock, log })
      return {
        lock: peers.lock,
        suspicions: [peers],
        outsiders,
        close() {
          peers.close()
          outsiders.close()
        },
      }
    },
  }
}

async function tlsFiles(
  { caCertSecret, clientCertSecret, clientKeySecret }: BusTls,
  read: (selector: SecretKeySelector) => Promise<string>,
): Promise<TlsFiles> {
  const one = async (selector: SecretKeySelector | undefined) => (selector === undefined ? undefined : read(selector))
  const [ca, cert, key] = await Promise.all([one(caCertSecret), one(clientCertSecret), one(clientKeySecret)])
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}
