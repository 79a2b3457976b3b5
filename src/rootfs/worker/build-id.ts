declare const __buildId: string | undefined

/** Stands for the build that runs; scripts/build.mjs makes it of all sources. Programs that run from their sources are one. */
export const BUILD_ID = typeof __buildId === 'string' ? __buildId : 'sources'
