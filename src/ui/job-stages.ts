import type {Stage} from './progress.js'

type Part<Event> = {
  readonly title: string
  /** Whether an event belongs to it; one that belongs to none is shown wherever the job is. */
  readonly has: (event: Event) => boolean
  /** Whether an event says that it is over, where that is known before the next part begins. */
  readonly isOver?: (event: Event) => boolean
}

/**
 * Stages of one job that tells how far it is: each is over when the job tells of a later one, or is done. Parts may go on
 * beside each other.
 *
 * @param describe - An event in one line.
 */
export function stagesOf<Event>(
  parts: readonly Part<Event>[],
  job: (tell: (event: Event) => void) => Promise<void>,
  describe: (event: Event) => string,
): Stage[] {
  let done: Promise<void> | undefined
  let reached = 0
  let wake: () => void = () => {}
  const lines = parts.map(() => '')
  let report: (line: string) => void = () => {}
  let shown = 0

  function tell(event: Event): void {
    const at = parts.findIndex((part) => part.has(event))
    const index = at === -1 ? shown : at
    lines[index] = describe(event)
    const isOver = parts[index]?.isOver?.(event) === true
    if (at !== -1) reached = Math.max(reached, isOver ? index + 1 : beginOf(index))
    report(lines[shown] ?? '')
    wake()
  }

  /** A part that goes on beside the one before it does not end it. */
  function beginOf(index: number): number {
    return parts[index - 1]?.isOver === undefined ? index : index - 1
  }

  async function run(index: number): Promise<void> {
    done ??= job(tell)
    let isDone = false
    const end = done.then(
      () => {
        isDone = true
        wake()
      },
      (error: unknown) => {
        wake()
        throw error
      },
    )
    // Met below, or by the stage that runs then.
    end.catch(() => {})
    while (!isDone && reached <= index)
      await Promise.race([
        end,
        new Promise<void>((resolve) => {
          wake = resolve
        }),
      ])
  }

  return parts.map(({title}, index) => ({
    title,
    run(next) {
      shown = index
      report = next
      return run(index)
    },
  }))
}
