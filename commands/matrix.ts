import {resolve} from 'node:path'
import {EnvsCommand} from '../src/cli/command.js'
import {offlineFlag} from '../src/cli/flags.js'
import {writeOutput} from '../src/cli/output.js'
import {Flags} from '../src/cli/parse.js'
import {splitAtSeparator} from '../src/cli/session-line.js'
import {describeOutcome, githubLines, MATRIX_COLUMNS} from '../src/cli/views/matrix.js'
import {imageContext} from '../src/environments/create/request.js'
import {cellName} from '../src/environments/matrix/cell.js'
import {writeJunit} from '../src/environments/matrix/junit.js'
import {parseJobs, parseMatrix} from '../src/environments/matrix/parse.js'
import type {Cell, MatrixResult} from '../src/environments/matrix/results.js'
import {runMatrix, USUAL_JOBS} from '../src/environments/matrix/run.js'
import {ExitCode} from '../src/errors.js'

const list = {multiple: true, multipleNonGreedy: true} as const

export default class Matrix extends EnvsCommand {
  static override summary = 'Run a command in environments of several releases and architectures.'
  static override description =
    `Each combination of an image and an architecture is a cell: a throwaway environment, in which COMMAND works on a copy of this \
folder. As many cells run at once as the host has processors. The output of each goes to a file of its own. The exit status is \
10 where COMMAND failed in a cell, and 125 where no cell could run it.`
  static override usage = 'matrix --images IMAGE,IMAGE [FLAG...] -- COMMAND [ARGUMENT...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> --images focal,jammy,noble,trixie --include make,gcc -- make check',
    '<%= config.bin %> <%= command.id %> -r noble,trixie -a amd64,arm64 --may-fail noble --junit report.xml -- ./test.sh',
  ]
  static override args = {}
  static override flags = {
    images: Flags.string({
      char: 'r',
      description: 'images, as of envs create, separated by commas',
      helpValue: 'IMAGE,...',
      required: true,
      ...list,
    }),
    arch: Flags.string({
      char: 'a',
      description: "architectures, separated by commas [default: the host's]",
      helpValue: 'ARCH,...',
      ...list,
    }),
    include: Flags.string({
      description: 'packages of images that are made of packages',
      helpValue: 'PACKAGE,...',
      ...list,
    }),
    env: Flags.string({
      char: 'e',
      description: "environment variable; without =VALUE, the host's value",
      helpValue: 'KEY[=VALUE]',
      ...list,
    }),
    'may-fail': Flags.string({
      description: 'images in which COMMAND may fail',
      helpValue: 'IMAGE,...',
      ...list,
    }),
    jobs: Flags.string({
      char: 'j',
      description: 'cells at once [default: the number of processors]',
      helpValue: 'N',
    }),
    timeout: Flags.string({description: 'end COMMAND in a cell after this time', helpValue: 'TIME'}),
    'fail-fast': Flags.boolean({description: 'end all cells when COMMAND fails in one'}),
    logs: Flags.string({description: 'folder for the output', default: 'matrix-logs', helpValue: 'FOLDER'}),
    junit: Flags.string({description: 'write a report in the format of JUnit', helpValue: 'FILE'}),
    github: Flags.boolean({
      description: 'print workflow commands of GitHub Actions for cells that did not pass',
    }),
    offline: offlineFlag(),
  }

  async run(): Promise<MatrixResult> {
    const {own, guest} = splitAtSeparator(this.argv)
    const {flags} = await this.parse(Matrix, own)
    const host = this.openHost()
    const settings = await this.settings()
    const signal = this.signal()
    const context = imageContext(host, settings, {
      signal,
      offline: flags.offline,
      onNotice: this.reportNotice,
    })
    const wish = parseMatrix(
      {...flags, mayFail: flags['may-fail'], variables: flags.env, packages: flags.include, command: guest},
      host,
    )
    const jobs = flags.jobs === undefined ? USUAL_JOBS : parseJobs(flags.jobs)
    const onEnd = (cell: Cell) => this.note(`${cellName(cell)}: ${describeOutcome(cell)}, ${cell.seconds} s`)
    const result = await runMatrix({
      host,
      settings,
      context,
      wish,
      signal,
      jobs,
      failFast: flags['fail-fast'],
      onEnd,
    })
    this.printTable(result.cells, MATRIX_COLUMNS)
    if (flags.github && !this.jsonEnabled()) for (const line of githubLines(result)) writeOutput(`${line}\n`)
    if (flags.junit !== undefined) await writeJunit(resolve(host.workingFolder, flags.junit), result)
    signal.throwIfAborted()
    process.exitCode = statusOf(result)
    return result
  }
}

function statusOf({cells, passed}: MatrixResult): number {
  if (passed) return ExitCode.ok
  const isJudged = cells.some(
    ({outcome}) => outcome === 'passed' || outcome === 'failed' || outcome === 'timeout',
  )
  return isJudged ? ExitCode.found : ExitCode.guestNotStarted
}
