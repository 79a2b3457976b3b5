import {createHash} from 'node:crypto'
import {gzipSync} from 'node:zlib'
import {compressed} from './compressed.js'
import {makeDeb} from './deb-file.js'
import type {Signer} from './signer.js'

/** A package to publish; what is left out is as of a small one that everybody can do without. */
export type ArchivePackage = {
  readonly name: string
  readonly version?: string
  readonly architecture?: string
  readonly component?: string
  readonly priority?: 'required' | 'important' | 'standard' | 'optional'
  readonly isEssential?: boolean
  readonly depends?: string
  readonly preDepends?: string
  readonly provides?: string
  /** Content by path below the root. */
  readonly files?: Readonly<Record<string, string | Buffer>>
  readonly scripts?: Readonly<Record<string, string>>
  /** A file of its own, in place of one that is made. */
  readonly deb?: Buffer
  /** Further fields of its control file, a newline after each. */
  readonly control?: string
  /** Fields that stand in the index and nowhere else, or otherwise than they should. */
  readonly indexed?: Readonly<Record<string, string>>
}

export type Pocket = 'release' | 'updates' | 'security'

export type Publication = {
  readonly packages: readonly ArchivePackage[]
  /** Of its Release; now. */
  readonly date?: Date
  /** Null for none; as the distribution has it where it is left out. */
  readonly validUntil?: Date | null
  readonly signer?: Signer
  /** `inline` is InRelease; `beside` Release and Release.gpg. */
  readonly signature?: 'inline' | 'beside' | 'none'
  /** Fields of the Release that shall be others. */
  readonly release?: Readonly<Record<string, string>>
  /** Of the indices; as the distribution has them where it is left out. */
  readonly indices?: readonly ('gz' | 'xz')[]
  /** So many paragraphs of further packages in its index, that are not there. */
  readonly listedOnly?: number
  /** Where indices lie: by their digest too, as usual, or by their name alone. */
  readonly hasByHash?: boolean
}

/** Where a pocket lies and what its Release says, as its distribution has it. */
type PocketLayout = {
  /** The archive's folder on the server. */
  readonly root: string
  /** Below dists/. */
  readonly suite: string
  readonly fields: Readonly<Record<string, string>>
  /** Before the components in its Release. */
  readonly componentPrefix: string
  readonly indices: readonly ('gz' | 'xz')[]
  readonly lifetimeDays: number | undefined
  readonly debs: 'xz' | 'zstd'
}

export function layoutOf(
  distribution: 'debian' | 'ubuntu',
  suite: string,
  architecture: string,
): Record<Pocket, PocketLayout> {
  const pockets = ['release', 'updates', 'security'] as const
  const of = distribution === 'debian' ? debianLayout : ubuntuLayout
  const entries = pockets.map((pocket) => [pocket, of(pocket, suite, architecture)] as const)
  return Object.fromEntries(entries) as Record<Pocket, PocketLayout>
}

function debianLayout(pocket: Pocket, suite: string): PocketLayout {
  const codename = pocket === 'release' ? suite : `${suite}-${pocket}`
  const isSecurity = pocket === 'security'
  return {
    root: isSecurity ? 'debian-security' : 'debian',
    suite: codename,
    fields: {
      Origin: 'Debian',
      Label: isSecurity ? 'Debian-Security' : 'Debian',
      Suite: pocket === 'release' ? 'stable' : `stable-${pocket}`,
      Codename: codename,
      ...(isSecurity ? {} : {'No-Support-for-Architecture-all': 'Packages'}),
    },
    componentPrefix: isSecurity ? 'updates/' : '',
    indices: pocket === 'release' ? ['gz', 'xz'] : ['xz'],
    lifetimeDays: pocket === 'release' ? undefined : 7,
    debs: 'xz',
  }
}

function ubuntuLayout(pocket: Pocket, codename: string, architecture: string): PocketLayout {
  const suite = pocket === 'release' ? codename : `${codename}-${pocket}`
  return {
    root: architecture === 'amd64' || architecture === 'i386' ? 'ubuntu' : 'ubuntu-ports',
    suite,
    fields: {Origin: 'Ubuntu', Label: 'Ubuntu', Suite: suite, Codename: codename},
    componentPrefix: '',
    indices: ['gz', 'xz'],
    lifetimeDays: undefined,
    debs: codename === 'focal' ? 'xz' : 'zstd',
  }
}

const DAY_MS = 86_400_000

/** All files of a pocket, by path on the server. */
export async function pocketFiles(
  layout: PocketLayout,
  publication: Publication & {signer: Signer; components: readonly string[]; architecture: string},
): Promise<Map<string, Buffer>> {
  const {packages, components, architecture, hasByHash = true} = publication
  const found = new Map<string, Buffer>()
  const dists = `${layout.root}/dists/${layout.suite}`
  const listed: string[] = []
  for (const component of components) {
    const own = packages.filter((each) => (each.component ?? 'main') === component)
    const paragraphs = own.map((each) => {
      const {path, deb, paragraph} = builtPackage(each, {layout, component, architecture})
      found.set(`${layout.root}/${path}`, deb)
      return paragraph
    })
    for (let count = 0; count < (publication.listedOnly ?? 0); count++)
      paragraphs.push(absentParagraph(count, component, architecture))
    const folder = `${component}/binary-${architecture}`
    const text = Buffer.from(paragraphs.join('\n'))
    // Listed, and not there: so it is on mirrors.
    listed.push(listLine(`${folder}/Packages`, text))
    for (const form of publication.indices ?? layout.indices) {
      const body = form === 'gz' ? gzipSync(text) : compressed('xz', text)
      listed.push(listLine(`${folder}/Packages.${form}`, body))
      found.set(`${dists}/${folder}/Packages.${form}`, body)
      if (hasByHash) found.set(`${dists}/${folder}/by-hash/SHA256/${sha256Of(body)}`, body)
    }
  }
  const release = releaseText(layout, {...publication, hasByHash}, listed)
  for (const [name, body] of await signedFiles(release, publication)) found.set(`${dists}/${name}`, body)
  return found
}

function listLine(path: string, body: Buffer): string {
  return ` ${sha256Of(body)} ${String(body.length).padStart(8)} ${path}`
}

function releaseText(
  layout: PocketLayout,
  {
    components,
    architecture,
    date = new Date(),
    validUntil,
    hasByHash = true,
    release = {},
  }: Publication & {components: readonly string[]; architecture: string},
  listed: readonly string[],
): string {
  const lifetimeMs = (layout.lifetimeDays ?? 0) * DAY_MS
  const usual = lifetimeMs === 0 ? null : new Date(date.getTime() + lifetimeMs)
  const until = validUntil === undefined ? usual : validUntil
  const fields = {
    ...layout.fields,
    Date: dateText(date),
    ...(until === null ? {} : {'Valid-Until': dateText(until)}),
    ...(hasByHash ? {'Acquire-By-Hash': 'yes'} : {}),
    Architectures: layout.root === 'debian' ? `all ${architecture}` : architecture,
    Components: components.map((component) => layout.componentPrefix + component).join(' '),
    ...release,
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  return `${[...lines, 'SHA256:', ...listed].join('\n')}\n`
}

async function signedFiles(
  text: string,
  {signer, signature = 'inline', date}: Publication & {signer: Signer},
): Promise<[string, Buffer][]> {
  // A key of a test can't sign before it was made.
  const at = date === undefined || date > new Date() ? {} : {date}
  const release = Buffer.from(text)
  if (signature === 'none') return [['Release', release]]
  if (signature === 'inline') return [['InRelease', await signer.clearsigned(text, at)]]
  return [
    ['Release', release],
    ['Release.gpg', await signer.detached(release, at)],
  ]
}

function builtPackage(
  wanted: ArchivePackage,
  {layout, component, architecture}: {layout: PocketLayout; component: string; architecture: string},
): {path: string; deb: Buffer; paragraph: string} {
  const {name, version = '1.0-1', priority = 'optional', indexed = {}} = wanted
  const own = wanted.architecture ?? architecture
  const fields = {
    Package: name,
    Version: version,
    Architecture: own,
    Maintainer: 'Nobody <nobody@example.org>',
    'Installed-Size': '4',
    ...(wanted.isEssential === true ? {Essential: 'yes'} : {}),
    ...(wanted.preDepends === undefined ? {} : {'Pre-Depends': wanted.preDepends}),
    ...(wanted.depends === undefined ? {} : {Depends: wanted.depends}),
    ...(wanted.provides === undefined ? {} : {Provides: wanted.provides}),
    Section: 'misc',
    Priority: priority,
    Description: `the package ${name}\n Of a test.`,
  }
  const control = `${fieldLines(fields)}${wanted.control ?? ''}`
  const files = wanted.files ?? {[`usr/share/doc/${name}/copyright`]: 'free\n'}
  const deb =
    wanted.deb ??
    makeDeb({
      control,
      files,
      compression: layout.debs,
      ...(wanted.scripts === undefined ? {} : {scripts: wanted.scripts}),
    })
  const path = `pool/${component}/${name.slice(0, 1)}/${name}/${name}_${version.replace(/^\d+:/, '')}_${own}.deb`
  const place = {Filename: path, Size: String(deb.length), SHA256: sha256Of(deb), ...indexed}
  return {path, deb, paragraph: `${control}${fieldLines(place)}`}
}

/** About as long as they are in Debian and Ubuntu, where Description is one line. */
function absentParagraph(count: number, component: string, architecture: string): string {
  const name = `absent${count}`
  const sha256 = sha256Of(Buffer.from(name))
  const depends = Array.from({length: 12}, (_, index) => `absent${(count * 7 + index) % 997} (>= 1.${index})`)
  return fieldLines({
    Package: name,
    Version: `1.${count}-1`,
    Architecture: architecture,
    Maintainer: 'Nobody <nobody@example.org>',
    Depends: depends.join(', '),
    Description: `the package ${name}, ${'which nobody installs '.repeat(8)}`,
    'Description-md5': sha256.slice(0, 32),
    Tag: 'role::program, scope::utility, use::checking, works-with::text',
    Section: 'misc',
    Priority: 'optional',
    Filename: `pool/${component}/a/${name}/${name}_1_${architecture}.deb`,
    Size: '1000',
    SHA256: sha256,
  })
}

function fieldLines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')
}

/** `Sat, 21 Nov 2026 09:15:44 UTC`: seconds, and no parts of them. */
function dateText(date: Date): string {
  return date.toUTCString().replace('GMT', 'UTC')
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
