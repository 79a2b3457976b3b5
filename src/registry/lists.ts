import * as v from 'valibot'
import {parseIfValid} from '../host/records.js'
import type {Connection, RegistryAnswer} from './connection.js'
import type {Descriptor, OciDigest} from './descriptor.js'
import {NotInRegistryError, registryUnreachableError} from './errors.js'
import {MEDIA_TYPES, parseManifest} from './manifest.js'
import {fetchManifest, pullScopes} from './pull.js'
import {isRepository, isTag} from './reference.js'
import {refusalOf} from './refusals.js'

/** Entries of a page that are asked for; registries may send fewer. */
const PAGE = 1000

/** Pages that are read of a list. */
const MOST_PAGES = 20

/** Returns the tags of a repository, at most {@link PAGE} times {@link MOST_PAGES}. @throws {@link refusalOf} */
export async function listTags(
  connection: Connection,
  {mostPages = MOST_PAGES}: {readonly mostPages?: number} = {},
): Promise<readonly string[]> {
  const {repository} = connection.endpoint
  const schema = v.object({tags: v.nullish(v.array(v.string()), [])})
  const pages = await readPages(connection, {
    to: `${repository}/tags/list?n=${PAGE}`,
    scopes: pullScopes(connection),
    what: `repository "${repository}"`,
    mostPages,
  })
  return (pages ?? []).flatMap((page) => parsed(page, schema, connection).tags).filter(isTag)
}

/** Statuses of registries that do not list their repositories, or not for everybody. */
const WITHOUT_CATALOGUE: ReadonlySet<number> = new Set([401, 403, 404, 405, 501])

/** Returns the repositories of a registry; undefined if it does not list them. @throws {@link refusalOf} */
export async function listRepositories(connection: Connection): Promise<readonly string[] | undefined> {
  const schema = v.object({repositories: v.nullish(v.array(v.string()), [])})
  const pages = await readPages(connection, {
    to: `_catalog?n=${PAGE}`,
    scopes: ['registry:catalog:*'],
    what: 'catalogue',
    without: WITHOUT_CATALOGUE,
  })
  return pages?.flatMap((page) => parsed(page, schema, connection).repositories).filter(isRepository)
}

type List = {
  readonly to: string
  readonly scopes: readonly string[]
  readonly what: string
  /** Statuses that say that there is no such list. */
  readonly without?: ReadonlySet<number>
  readonly mostPages?: number
}

async function readPages(
  connection: Connection,
  {to, scopes, what, without, mostPages = MOST_PAGES}: List,
): Promise<readonly RegistryAnswer[] | undefined> {
  const pages: RegistryAnswer[] = []
  for (let next: string | URL | undefined = to; next !== undefined && pages.length < mostPages; ) {
    const answer: RegistryAnswer = await connection.call({to: next, scopes})
    if (without?.has(answer.status) === true) return undefined
    if (answer.status !== 200) throw refusalOf(answer, {what}, connection)
    pages.push(answer)
    next = nextPage(answer, connection)
  }
  return pages
}

/** Returns the URL of the next page, of the same registry alone. @see RFC 8288 */
function nextPage({headers, url}: RegistryAnswer, {endpoint}: Connection): URL | undefined {
  const link = /^<(?<target>[^>]+)>\s*;.*\brel="?next"?/.exec(String(headers['link'] ?? ''))?.groups?.[
    'target'
  ]
  if (link === undefined || !URL.canParse(link, url.href)) return undefined
  const next = new URL(link, url)
  return next.origin === endpoint.origin.origin ? next : undefined
}

function parsed<Schema extends v.GenericSchema<unknown, unknown>>(
  {body}: RegistryAnswer,
  schema: Schema,
  {endpoint: {host}}: Connection,
) {
  const list = parseIfValid(body.toString('utf8'), schema)
  if (list === undefined) throw registryUnreachableError({host, reason: 'its answer is no list'})
  return list
}

/**
 * Returns the manifests that refer to a digest: by the registry's own list, else by the tag that stands for one.
 *
 * @throws {@link refusalOf} @throws {@link badManifestError}
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function listReferrers(
  connection: Connection,
  digest: OciDigest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[]> {
  const {repository} = connection.endpoint
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
  const answer = await connection.call({
    to: `${repository}/referrers/${digest}${filter}`,
    headers: {accept: MEDIA_TYPES.index[0]},
    scopes: pullScopes(connection),
  })
  const type = answer.headers['content-type']?.split(';')[0]
  const manifests =
    answer.status === 200 && type === MEDIA_TYPES.index[0]
      ? referrersIn(answer.body, type, connection)
      : await referrersByTag(connection, digest, answer)
  // Registries may ignore the filter.
  return manifests.filter((each) => artifactType === undefined || each.artifactType === artifactType)
}

/** Statuses of registries without a list of referrers. */
const WITHOUT_LIST: ReadonlySet<number> = new Set([200, 400, 404, 405, 501])

async function referrersByTag(
  connection: Connection,
  digest: OciDigest,
  listed: RegistryAnswer,
): Promise<readonly Descriptor[]> {
  if (!WITHOUT_LIST.has(listed.status)) throw refusalOf(listed, {what: `list of referrers`}, connection)
  const tag = digest.replace(':', '-')
  const found = await fetchManifest(connection, tag).catch((error: unknown) => {
    if (error instanceof NotInRegistryError) return undefined
    throw error
  })
  return found === undefined ? [] : referrersIn(found.bytes, found.mediaType, connection)
}

function referrersIn(
  bytes: Buffer,
  mediaType: string | undefined,
  {endpoint: {host, repository}}: Connection,
): readonly Descriptor[] {
  const index = parseManifest(bytes, mediaType, `the referrers in ${host}/${repository}`)
  return index.kind === 'index' ? index.manifests : []
}
