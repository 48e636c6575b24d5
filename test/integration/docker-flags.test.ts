import { describeTranscript } from '../support/transcript-tests.ts';

await describeTranscript('docker-flags.txt');
