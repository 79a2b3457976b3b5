import {openRegistry, type Repository} from './client.js'
import {openConnection, type RegistryOptions} from './connection.js'
import {NotInRegistryError, noCatalogueError} from './errors.js'
import {registryEndpoint} from './hosts.js'
import {listRepositories} from './lists.js'
import {formatReference, parseRegistryHost, parseRegistryReference} from './reference.js'

/** Names in a registry: of its repositories, or of the tags of one of them. */
export type RegistrySearch = {
  readonly host: string
  /** Whole names, such as `quay.io/owner/tool:1.2`. */
  readonly names: readonly string[]
}

const SCHEME = /^(?:docker|oci):(?:\/\/)?/

/** Returns whether a word to search for is in a registry: it has a host, or the scheme of registries. */
export function isRegistryWord(word: string): boolean {
  const [first = '', ...rest] = word.replace(SCHEME, '').split('/')
  return SCHEME.test(word) || (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost'))
}

/**
 * Searches a registry: `HOST/` gives all its repositories; `HOST/NAME` the tags of that repository, or, if it does not
 * exist, the repositories whose names contain it.
 *
 * @throws {@link badReferenceError} @throws {@link noCatalogueError} If the registry does not list its repositories, as Docker Hub.
 */
export async function searchRegistry(word: string, options: RegistryOptions): Promise<RegistrySearch> {
  const name = word.replace(SCHEME, '')
  const {host: first, part} = /^(?<host>[^/]*)\/?(?<part>.*)$/.exec(name)?.groups ?? {}
  const isHost = part === ''
  if (isHost) return searchCatalogue(parseRegistryHost(first ?? ''), {part: '', options})
  const reference = parseRegistryReference(name)
  const repository = openRegistry(reference, {...options, actions: 'pull'})
  const tags = await tagsOf(repository)
  if (tags === undefined) return searchCatalogue(reference.host, {part: part ?? '', options})
  return {
    host: reference.host,
    names: tags.map((tag) => formatReference({...reference, tag, digest: undefined})),
  }
}

async function tagsOf(repository: Repository): Promise<readonly string[] | undefined> {
  try {
    return await repository.tags()
  } catch (error) {
    if (error instanceof NotInRegistryError) return undefined
    throw error
  }
}

type CatalogueSearch = {readonly part: string; readonly options: RegistryOptions}

async function searchCatalogue(host: string, {part, options}: CatalogueSearch): Promise<RegistrySearch> {
  const endpoint = registryEndpoint({host, repository: ''}, options.settings)
  const repositories = await listRepositories(openConnection(endpoint, options))
  if (repositories === undefined) throw noCatalogueError({host})
  return {host, names: repositories.filter((each) => each.includes(part)).map((each) => `${host}/${each}`)}
}
