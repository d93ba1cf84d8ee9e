/** The app that kills itself at the failpoint it is given. */
export const FAILPOINT_PROGRAM = 'tools/failpoints/main.ts';
