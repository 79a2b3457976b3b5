import type {DownloadEvent} from '../host/http/receive.js'
import {stagesOf} from './job-stages.js'
import type {KeepingEvent} from './kept-download.js'
import {CHOICE_STAGES, describeMakingWithPace, MAKING_STAGES, type MakingEvent} from './making-wording.js'
import type {LeafStage, Stage} from './progress.js'
import {unpackProgress} from './unpack-progress.js'

/** The making of an environment, as far as its stages are concerned. */
type Steps<Resolution> = {
  /** Whether its image is made of packages, as far as that is known before anybody is asked. */
  readonly isMade: boolean
  /** @returns Whether it has to be made: there is none with the same packages yet. */
  choose(hooks: {
    onMaking: (event: MakingEvent) => void
    onResolved: (resolution: Resolution) => void
  }): Promise<boolean>
  fetch(hooks: {
    onProgress: (event: DownloadEvent) => void
    onMaking: (event: MakingEvent) => void
    onStored: () => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  }): Promise<void>
  extract(onProgress: (progress: {readonly entries: number; readonly bytes: number}) => void): Promise<void>
  publish(): Promise<void>
}

/**
 * Runs the steps and shows them.
 *
 * @param onDownload - Told of all that is fetched or made.
 * @param onResolved - Told what a name stands for.
 * @param onUnreachable - Told that an image is made because none could be reached.
 */
export async function runCreation<Resolution>(
  creation: Steps<Resolution>,
  {
    runStages,
    onDownload,
    ...hooks
  }: {
    runStages: (stages: readonly Stage[]) => Promise<void>
    onDownload: (event: KeepingEvent) => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  },
): Promise<void> {
  const progress = unpackProgress(() => performance.now())
  const rest = [
    progress.stage('Extract', () => creation.extract(progress.extraction)),
    {title: 'Set up', run: () => creation.publish()},
  ]
  let isMade = creation.isMade
  const onStored = () => onDownload({stage: 'stored'})
  const fetch = async (onMaking: (event: MakingEvent) => void) => {
    await creation.fetch({
      onProgress(event) {
        onDownload(event)
        progress.transfer(event)
      },
      onMaking(event) {
        isMade = true
        onMaking(event)
      },
      onStored,
      ...hooks,
    })
    if (isMade) onStored()
  }
  const fetchAlone = progress.stage('Fetch', () =>
    fetch((event) => {
      onDownload(event)
      progress.making(event)
    }),
  )
  if (!creation.isMade) {
    await runStages([fetchAlone, ...rest])
    return
  }
  const making = makingStages({
    choose: (tell) => creation.choose({onMaking: tell, onResolved: hooks.onResolved}),
    make: fetch,
    onDownload,
    instead: [fetchAlone],
  })
  await runStages([...making, ...rest])
}

/**
 * Stages in which it is found out what an image of packages is to hold, and in which it is made.
 *
 * @param choose - Says whether it has to be made.
 * @param instead - What is done where it has not.
 */
export function makingStages({
  choose,
  make,
  onDownload,
  instead = [],
}: {
  choose: (tell: (event: MakingEvent) => void) => Promise<boolean>
  make: (tell: (event: MakingEvent) => void) => Promise<void>
  onDownload: (event: KeepingEvent) => void
  instead?: readonly LeafStage[]
}): Stage[] {
  const describe = describeMakingWithPace(() => performance.now())
  let isNeeded = false
  const noted = (tell: (event: MakingEvent) => void) => (event: MakingEvent) => {
    onDownload(event)
    tell(event)
  }
  const chosen = async (tell: (event: MakingEvent) => void) => {
    isNeeded = await choose(noted(tell))
  }
  return [
    {title: 'Choose packages', concurrent: 1, stages: () => stagesOf(CHOICE_STAGES, chosen, describe)},
    {
      title: 'Make the image',
      // Packages are unpacked while others come.
      concurrent: 2,
      stages: () => (isNeeded ? stagesOf(MAKING_STAGES, (tell) => make(noted(tell)), describe) : instead),
    },
  ]
}
