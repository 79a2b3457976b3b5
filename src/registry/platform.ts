import type {DebArchitecture} from '../host/machine/arch.js'
import type {Descriptor, OciPlatform} from './descriptor.js'
import {noPlatformError} from './errors.js'
import type {ImageIndex} from './manifest.js'

/** Names of the Go compiler, which registries use. */
const PLATFORMS: Readonly<
  Record<DebArchitecture, {readonly architecture: string; readonly variant?: string}>
> = {
  amd64: {architecture: 'amd64'},
  arm64: {architecture: 'arm64'},
  armhf: {architecture: 'arm', variant: 'v7'},
  i386: {architecture: '386'},
  loong64: {architecture: 'loong64'},
  ppc64el: {architecture: 'ppc64le'},
  riscv64: {architecture: 'riscv64'},
  s390x: {architecture: 's390x'},
}

/** Returns the platform of an architecture that has a dpkg name. */
export function platformOf(architecture: DebArchitecture): OciPlatform {
  return {os: 'linux', ...PLATFORMS[architecture]}
}

/** Returns dpkg's name of a platform; undefined if envs does not know it. */
export function architectureOf({os, architecture}: OciPlatform): DebArchitecture | undefined {
  if (os !== 'linux') return undefined
  return Object.keys(PLATFORMS)
    .filter((name): name is DebArchitecture => Object.hasOwn(PLATFORMS, name))
    .find((name) => PLATFORMS[name].architecture === architecture)
}

/**
 * Chooses the manifest of an index for a platform. Attestations and other artifacts are skipped.
 *
 * A variant is a level of the processor: without the wanted one, the lowest is taken, because `amd64/v3` does not run on
 * every amd64; `arm/v6` runs on `v7`, but not the reverse.
 *
 * @param source - For the error.
 * @throws {@link noPlatformError} Names the platforms that there are.
 * @see https://github.com/opencontainers/image-spec/blob/main/image-index.md
 */
export function choosePlatform(index: ImageIndex, wanted: OciPlatform, source = 'the image'): Descriptor {
  const images = index.manifests.filter(isImage)
  const level = levelOf(wanted)
  const fitting = images
    .filter(({platform}) => platform?.os === wanted.os && platform.architecture === wanted.architecture)
    .map((descriptor) => ({descriptor, level: levelOf(descriptor.platform)}))
    .filter((each) => wanted.variant === undefined || each.level <= level)
    // The highest that runs if a level is wanted, else the lowest; the first of equal ones, as the publisher sorted them.
    .sort((a, b) => (wanted.variant === undefined ? a.level - b.level : b.level - a.level))
  const [best] = fitting
  if (best !== undefined) return best.descriptor
  const [only] = images
  if (images.length === 1 && only !== undefined && only.platform === undefined) return only
  throw noPlatformError({
    source,
    wanted: formatPlatform(wanted),
    platforms:
      images.length === 0 ? 'none' : [...new Set(images.map(({platform}) => formatPlatform(platform)))],
  })
}

export function formatPlatform(platform: OciPlatform | undefined): string {
  if (platform === undefined) return 'a platform without a name'
  const {os, architecture, variant} = platform
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')
}

function isImage({artifactType, platform}: Descriptor): boolean {
  return artifactType === undefined && platform?.os !== 'unknown' && platform?.architecture !== 'unknown'
}

/** `v7` is 7. `arm64` and `arm64/v8` are the same, as are `amd64` and `amd64/v1`. */
function levelOf(platform: OciPlatform | undefined): number {
  const {architecture, variant} = platform ?? {}
  const level = /^v(?<level>\d{1,3})$/.exec(variant ?? '')?.groups?.['level']
  if (level !== undefined) return Number(level)
  return architecture === 'arm64' ? 8 : 1
}
