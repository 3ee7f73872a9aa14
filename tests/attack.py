"""Attacks the programs with damaged files; every case must end in success or one line.

    .venv/bin/python -m tests.attack [--scale 0.1] [--seed N] [--kinds tflite checkpoint photo …]

A seed makes the same damage again. A case fails if it ends in a traceback or a signal, or does not
end within two minutes. The programs are forked from one that has imported TensorFlow, so a case
takes seconds.
"""

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from typing import Callable, Dict, List, Tuple

from mmnet import cli

with cli.starting():
    import imageio_ffmpeg
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    from mmnet import checkpoints, graph, hparams
    from mmnet.tflite.export import export
    from tests import forked
    from tests.helpers import ROOT, draw_pair, write_split
    from tests.tflite.helpers import run_of

COUNTS = {'tflite': 200, 'checkpoint': 100, 'photo': 100, 'video': 50, 'hparams': 60}
SECONDS = 120
Case = Tuple[str, List[str]]    # what was done, and the program's arguments


def main() -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument('--scale', type=cli.positive(float), default=1.0,
                        help='share of the cases to run')
    parser.add_argument('--seed', type=cli.seed, default=0, help='of the damage')
    parser.add_argument('--kinds', nargs='+', choices=list(COUNTS), default=list(COUNTS),
                        help='what to damage')
    args = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as place:
        make_intact_files(place)
        for kind in args.kinds:
            counts = {0: 0, 1: 0}
            start = time.time()
            for index in range(max(1, int(COUNTS[kind] * args.scale))):
                rng = random.Random(f'{args.seed} {kind} {index}')
                scratch = os.path.join(place, 'case')
                shutil.rmtree(scratch, ignore_errors=True)
                os.makedirs(scratch)
                done, command = MAKERS[kind](rng, place, scratch)
                script, *arguments = command
                status, *texts = forked.run(os.path.join(ROOT, script), arguments, SECONDS)
                output = ''.join(texts)
                if status not in (0, 1, 2) or 'Traceback' in output:
                    failures.append(f'{kind} {index}: {done}: status {status}: {output[-300:]}')
                    print(failures[-1], flush=True)
                else:
                    counts[min(status, 1)] += 1
            print(f'{kind}: {counts[0]} succeed, {counts[1]} end in a line, '
                  f'{time.time() - start:.0f} s', flush=True)
    print(f'{len(failures)} failures')
    return 1 if failures else 0


def make_intact_files(place: str) -> None:
    """Makes what is damaged later: a dataset, a train directory, a file, photos, a video."""
    write_split(os.path.join(place, 'dataset'), 'test', 2)
    run = run_of()
    train_dir = os.path.join(place, 'run')
    os.makedirs(train_dir)
    hparams.write(run, train_dir)
    with tf.Graph().as_default(), tf.Session() as session:
        graph.build_network(tf.placeholder(tf.float32, [1, 32, 32, 3]), run, is_training=False)
        session.run(tf.global_variables_initializer())
        saver = checkpoints.saver(averaged=False)
        for step in (1, 2):
            path = saver.save(session, os.path.join(train_dir, 'model.ckpt'), step,
                              write_meta_graph=False)
    content = export(path, run, 32, 'float32', 'logistic').content
    with open(os.path.join(place, 'model.tflite'), 'wb') as file:
        file.write(content)
    image, _ = draw_pair(np.random.RandomState(0))
    for name in ('a.jpg', 'a.png', 'a.tif'):
        Image.fromarray(image).save(os.path.join(place, name))
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'lavfi', '-i',
                    'testsrc=size=64x48:rate=10:duration=3', '-f', 'lavfi', '-i',
                    'sine=duration=3', '-movflags', '+faststart',
                    os.path.join(place, 'a.mp4')], check=True)


def damage(rng: random.Random, source: str, target: str) -> str:
    """Copies a file with bits flipped, its end cut off, or bytes overwritten; says which."""
    with open(source, 'rb') as file:
        content = bytearray(file.read())
    way = rng.choice(['flipped', 'flipped', 'cut', 'overwritten', 'emptied' if rng.random() < 0.2
                      else 'overwritten'])
    if way == 'flipped':
        for _ in range(rng.choice([1, 5, 50])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif way == 'cut':
        del content[rng.randrange(len(content)):]
    elif way == 'overwritten':
        start = rng.randrange(len(content))
        for index in range(start, min(len(content), start + 200)):
            content[index] = rng.randrange(256)
    else:
        content.clear()
    with open(target, 'wb') as file:
        file.write(content)
    return f'{os.path.basename(source)} {way}'


def matte(model: str, photo: str, scratch: str) -> List[str]:
    return ['scripts/matte.py', '--model', model, photo, '--output_dir',
            os.path.join(scratch, 'out')]


def damaged_tflite(rng: random.Random, place: str, scratch: str) -> Case:
    model = os.path.join(scratch, 'model.tflite')
    done = damage(rng, os.path.join(place, 'model.tflite'), model)
    return done, matte(model, os.path.join(place, 'a.png'), scratch)


def copied_run(place: str, scratch: str) -> str:
    """Copies the train directory; its list of checkpoints has absolute paths."""
    run = os.path.join(scratch, 'run')
    shutil.copytree(os.path.join(place, 'run'), run)
    state = os.path.join(run, 'checkpoint')
    with open(state) as file:
        text = file.read()
    with open(state, 'w') as file:
        file.write(text.replace(os.path.join(place, 'run'), run))
    return run


def damaged_checkpoint(rng: random.Random, place: str, scratch: str) -> Case:
    run = copied_run(place, scratch)
    name = rng.choice(sorted(set(os.listdir(run)) - {'hparams.json'}))
    path = os.path.join(run, name)
    if rng.random() < 0.2:
        os.remove(path)
        done = f'{name} removed'
    else:
        done = damage(rng, path, path)
    if rng.random() < 0.5:
        return done, matte(run, os.path.join(place, 'a.png'), scratch)
    return done, ['evaluate.py', '--dataset_path', os.path.join(place, 'dataset'),
                  '--checkpoint_path', run]


def damaged_photo(rng: random.Random, place: str, scratch: str) -> Case:
    name = rng.choice(['a.jpg', 'a.png', 'a.tif'])
    done = damage(rng, os.path.join(place, name), os.path.join(scratch, name))
    return done, matte(os.path.join(place, 'model.tflite'), os.path.join(scratch, name), scratch)


def damaged_video(rng: random.Random, place: str, scratch: str) -> Case:
    done = damage(rng, os.path.join(place, 'a.mp4'), os.path.join(scratch, 'a.mp4'))
    return done, matte(os.path.join(place, 'model.tflite'), os.path.join(scratch, 'a.mp4'),
                       scratch)


def damaged_hparams(rng: random.Random, place: str, scratch: str) -> Case:
    run = copied_run(place, scratch)
    path = os.path.join(run, 'hparams.json')
    if rng.random() < 0.3:
        done = damage(rng, path, path)
    else:
        with open(path) as file:
            content = json.load(file)
        holder = rng.choice([content, content['network'], content['training']])
        key = rng.choice(sorted(holder) + ['unknown'])
        value = rng.choice([None, 0, -64, 63, 1e30, 'abc', [1], {}, True, 'deeplab', 10 ** 9])
        if rng.random() < 0.2:
            holder.pop(key, None)
            done = f'{key} left out'
        else:
            holder[key] = value
            done = f'{key} set to {value}'
        with open(path, 'w') as file:
            json.dump(rng.choice([content] * 9 + [[1]]), file)
    return done, matte(run, os.path.join(place, 'a.png'), scratch)


MAKERS: Dict[str, Callable[[random.Random, str, str], Case]] = {
    'tflite': damaged_tflite, 'checkpoint': damaged_checkpoint, 'photo': damaged_photo,
    'video': damaged_video, 'hparams': damaged_hparams}


if __name__ == '__main__':
    cli.run(main)
