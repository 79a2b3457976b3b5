import {resolve} from 'node:path'
import {UsageError} from '../../errors.js'
import {parseTimeout} from '../../features/limit-texts.js'
import type {Host} from '../../host/host.js'
import {DEB_ARCHITECTURES, type DebArchitecture, namedArchitecture} from '../../host/machine/arch.js'
import type {MatrixWish} from './cell.js'

/** A matrix as typed; lists are separated by commas. */
type MatrixText = {
  readonly images: readonly string[]
  readonly arch?: readonly string[] | undefined
  readonly packages?: readonly string[] | undefined
  readonly mayFail?: readonly string[] | undefined
  readonly variables?: readonly string[] | undefined
  readonly timeout?: string | undefined
  readonly logs: string
  readonly command: readonly string[]
}

/** Reads a matrix: each image with each architecture is a cell. @throws {UsageError} */
export function parseMatrix(
  {images, arch, packages, mayFail, variables = [], timeout, logs, command}: MatrixText,
  {architecture: own, workingFolder}: Pick<Host, 'architecture' | 'workingFolder'>,
): MatrixWish {
  const names = wordsOf(images)
  const allowed = wordsOf(mayFail)
  if (names.length === 0)
    throw new UsageError('No image was given.', ['Name them: --images focal,noble,trixie'])
  if (command.length === 0)
    throw new UsageError('No command was given.', [
      'Write it behind --: envs matrix --images noble,trixie -- make check',
    ])
  const unknown = allowed.find((each) => !names.includes(each))
  if (unknown !== undefined) throw new UsageError(`--may-fail "${unknown}" is not among the images.`)
  if (timeout !== undefined) parseTimeout(timeout)
  const architectures: readonly DebArchitecture[] =
    arch === undefined ? [own] : wordsOf(arch).map(parseArchitecture)
  return {
    cells: names.flatMap((image) =>
      architectures.map((architecture) => ({image, architecture, mayFail: allowed.includes(image)})),
    ),
    packages: wordsOf(packages),
    ...{command, variables, timeout},
    folder: workingFolder,
    logs: resolve(workingFolder, logs),
  }
}

function parseArchitecture(text: string): DebArchitecture {
  const architecture = namedArchitecture(text)
  if (architecture === undefined)
    throw new UsageError(`--arch "${text}" is no architecture.`, [
      `They are: ${DEB_ARCHITECTURES.join(', ')}`,
    ])
  return architecture
}

/** Parses the number of cells that run at once. @throws {UsageError} */
export function parseJobs(text: string): number {
  const jobs = Number(text)
  if (!/^\d{1,3}$/.test(text) || jobs === 0)
    throw new UsageError(`--jobs "${text}" is invalid: it must be a number from 1 to 999.`)
  return jobs
}

function wordsOf(texts: readonly string[] = []): string[] {
  return [...new Set(texts.flatMap((text) => text.split(',')).filter((word) => word !== ''))]
}
