import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Detector, type DetectorSettings, hear, listen, tick, upWindow } from './detector.ts';

const settings: DetectorSettings = { interval: 40, suspectAfter: 300, downAfter: 800, upWindow: 2_000 };

/** A detector with its own clock. */
class Timeline {
  now = 0;
  detector: Detector;

  constructor(resumed = false) {
    this.detector = listen(0, resumed);
  }

  /** Beats and ticks every interval. */
  beats(ms: number, keep: (beat: number) => boolean = () => true): this {
    for (let beat = 0; beat < ms / settings.interval; beat++) {
      this.now += settings.interval;
      if (keep(beat)) this.detector = hear(this.detector, settings, this.now);
      this.detector = tick(this.detector, settings, this.now);
    }
    return this;
  }

  silence(ms: number): this {
    return this.beats(ms, () => false);
  }

  /** This process does not run. */
  pause(ms: number): this {
    this.now += ms;
    return this;
  }

  get phase(): string {
    return this.detector.suspect ? 'suspect' : this.detector.phase;
  }
}

test('up after half the beats of the window, not before', () => {
  assert.is(new Timeline().beats(960).phase, 'listening');
  assert.is(new Timeline().beats(1_000).phase, 'up');
  assert.is(new Timeline().beats(1_960, (beat) => beat % 2 === 0).phase, 'up');
});

test('less than half of the beats never bring it up', () => {
  assert.is(new Timeline().beats(60_000, (beat) => beat % 3 === 0).phase, 'listening');
});

test('nothing heard at all is down after the same silence', () => {
  assert.is(new Timeline().silence(760).phase, 'listening');
  assert.is(new Timeline().silence(800).phase, 'down');
});

test('suspect at 300 ms, down at 800 ms, and one beat ends the suspicion', () => {
  assert.is(new Timeline().beats(2_000).silence(280).phase, 'up');
  assert.is(new Timeline().beats(2_000).silence(320).phase, 'suspect');
  assert.is(new Timeline().beats(2_000).silence(760).phase, 'suspect');
  assert.is(new Timeline().beats(2_000).silence(800).phase, 'down');
  assert.is(new Timeline().beats(2_000).silence(760).beats(40).phase, 'up');
});

test('after a restart of this prober the first beat of a peer that was up is enough', () => {
  assert.is(new Timeline(true).beats(40).phase, 'up');
  assert.is(new Timeline(true).silence(800).beats(40).phase, 'down', 'but not after it was down');
});

test('a link that flaps must hold longer, and at most eight times as long', () => {
  const timeline = new Timeline().beats(2_000);
  for (const window of [2_000, 4_000, 8_000, 16_000, 16_000]) {
    timeline.silence(800);
    assert.is(timeline.phase, 'down');
    assert.is(upWindow(timeline.detector, settings, timeline.now), window);
    assert.is(timeline.beats(window / 2 - 40).phase, 'down');
    assert.is(timeline.beats(40).phase, 'up');
  }
  timeline.beats(61_000).silence(800);
  assert.is(upWindow(timeline.detector, settings, timeline.now), 2_000, 'a quiet minute is forgiven');
});

test('an own pause is no silence of the peer: its beats wait in the socket', () => {
  const timeline = new Timeline().beats(2_000).pause(5_000);
  timeline.detector = tick(timeline.detector, settings, timeline.now);
  assert.is(timeline.phase, 'up', 'the timer fires before the socket is read');
  assert.is(timeline.beats(200).phase, 'up');
});

test('after an own pause a dead peer is still found, the pause later', () => {
  const timeline = new Timeline().beats(2_000).pause(5_000).silence(760);
  assert.is(timeline.phase, 'suspect');
  assert.is(timeline.silence(40).phase, 'down');
});

test('a process that is always late judges nevertheless', () => {
  const timeline = new Timeline().beats(2_000);
  const from = timeline.now;
  while (timeline.phase !== 'down' && timeline.now < from + 60_000) timeline.pause(150).silence(40);
  assert.is(timeline.phase, 'down');
  assert.ok(timeline.now - from < 10_000, `${timeline.now - from} ms`);
});

test.run();
