import {formatCommandLine} from '../../host/argv/command-line.js'
import type {ImageDetails} from '../../images/results.js'
import {describeImageSigner} from './text.js'

type Field = readonly [label: string, value: string | undefined]

/** Returns the origin of an image of containers and how it runs, as lines with titles. Its texts are untrusted. */
export function containerFields(container: ImageDetails['container']): Field[] {
  if (container === null) return []
  const {index, platform, registry, signature, config} = container
  const policy = signature?.policy ?? null
  const words = (list: readonly string[]) => (list.length === 0 ? undefined : formatCommandLine(list))
  return [
    ['Index', index ?? undefined],
    ['Platform', platform],
    ['Registry', registry ?? undefined],
    ...(signature?.signers ?? []).map((signer): Field => ['Signer', describeImageSigner(signer)]),
    ['Policy', policy === null ? undefined : `${policy.scope} in ${policy.file}`],
    ['Entrypoint', words(config.entrypoint)],
    ['Command', words(config.command)],
    ['User', config.user ?? undefined],
    ['Working folder', config.workingFolder ?? undefined],
  ]
}

/** Returns the rest of the configuration, a line for each item. */
export function configurationFields(container: ImageDetails['container']): Field[] {
  if (container === null) return []
  const {config} = container
  const lines = (label: string, list: readonly string[]) => list.map((text): Field => [label, text])
  return [
    ...lines('Variable', config.env),
    ...lines(
      'Label',
      Object.entries(config.labels).map(([name, value]) => `${name}=${value}`),
    ),
    ...lines('Port', config.ports),
    ...lines('Volume', config.volumes),
    ['Stop signal', config.stopSignal ?? undefined],
  ]
}
