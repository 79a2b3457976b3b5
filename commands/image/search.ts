import {EnvsCommand} from '../../src/cli/command.js'
import {architectureFlag, architectureIn} from '../../src/cli/flags.js'
import {formatBytes} from '../../src/cli/format.js'
import {Args} from '../../src/cli/parse.js'
import {imageContext} from '../../src/environments/create/request.js'
import {readCatalogue} from '../../src/images/catalog/catalog.js'
import type {ImageSearchResult} from '../../src/images/results.js'
import {type SearchResult, searchImages} from '../../src/images/search.js'
import type {OfferedImage} from '../../src/images/sources/source.js'
import {registrySettings} from '../../src/registry/hosts.js'
import {isRegistryWord, type RegistrySearch, searchRegistry} from '../../src/registry/search.js'

export default class ImageSearch extends EnvsCommand {
  static override summary = 'Search for available images.'
  static override description =
    `WORD is a part of a name, a version or a title. With the host of a container registry, HOST/NAME, it gives the tags of that \
repository, and HOST/ gives all repositories of a registry that lists them. If a publisher can't be reached, the result is from a built-in \
table. EOL marks releases without standard support, which get no security updates.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> 24.04 --json',
    '<%= config.bin %> <%= command.id %> docker.io/library/debian',
  ]
  static override args = {
    word: Args.string({
      description: 'part of a name, version or title, or HOST/NAME [default: all images]',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    arch: architectureFlag("architecture of the images [default: the host's]"),
  }

  async run(): Promise<ImageSearchResult> {
    const {args, flags} = await this.parse(ImageSearch)
    const host = this.openHost()
    const settings = await this.settings()
    if (args.word !== undefined && isRegistryWord(args.word)) {
      const options = {settings: registrySettings(settings), host, signal: this.signal()}
      const registry = await searchRegistry(args.word, options)
      this.#tellNames(registry, args.word)
      return {images: [], unreachable: [], nearest: [], registry}
    }
    const context = imageContext(host, settings, {signal: this.signal()})
    const architecture = architectureIn(flags) ?? host.architecture
    const request = {architecture, catalogue: await readCatalogue()}
    const result = await searchImages(args.word, context, request)
    this.#tell(result, args.word)
    return {...result, images: result.images.map(withNulls), registry: null}
  }

  #tellNames({names}: RegistrySearch, word: string): void {
    if (names.length === 0) this.note(`Nothing fits ${JSON.stringify(word)}.`)
    this.printTable(names, [{title: 'name', show: (name) => name}])
  }

  #tell({images, unreachable, nearest}: SearchResult, word: string | undefined): void {
    // Several sources may lie on one server.
    for (const server of new Set(
      unreachable.map(({mirror, reason}) => `${mirror} did not answer (${reason})`),
    )) {
      this.note(`${server}: its images are listed from the built-in table.`)
    }
    if (images.length === 0) {
      const meant = nearest.length === 0 ? '' : ` Did you mean ${nearest.join(' or ')}?`
      this.note(`Nothing fits ${JSON.stringify(word ?? '')}.${meant}`)
    }
    this.printTable(images, [
      {title: 'name', show: ({name}) => name},
      {title: 'version', show: ({version}) => version ?? '-'},
      {title: 'build', rank: 3, show: ({serial}) => serial ?? '-'},
      {title: 'arch', show: ({architecture}) => architecture},
      {
        title: 'size',
        align: 'right',
        show: ({sizeBytes}) => (sizeBytes === undefined ? '-' : formatBytes(sizeBytes)),
      },
      {title: 'support', rank: 2, show: showSupport},
      {
        title: 'known from',
        show: ({origin}) => (origin === 'online' ? 'its publisher' : 'the built-in table'),
      },
    ])
  }
}

/** JSON has no undefined: what is not known is null, and not left out. */
function withNulls(image: OfferedImage): ImageSearchResult['images'][number] {
  const {version = null, serial = null, sizeBytes = null, eol = null} = image
  return {...image, version, serial, sizeBytes, eol}
}

function showSupport({eol, isEol}: OfferedImage): string {
  if (eol === undefined) return isEol ? 'EOL' : '-'
  const day = eol.toISOString().slice(0, 10)
  return isEol ? `EOL since ${day}` : `until ${day}`
}
