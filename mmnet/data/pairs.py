"""Finds image/mask pairs, and photos without masks, and checks their headers."""

import hashlib
import os
import re
import sys
from collections import defaultdict
from multiprocessing.pool import ThreadPool
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from tqdm import tqdm

from mmnet import scores
from mmnet.data.decode import OTHER_PICTURES, PHOTOS, UNREADABLE, open_picture, orientation
from mmnet.errors import UserError

EXTENSIONS = ('.jpg', '.jpeg', '.png')
# Orientations that swap width and height.
TURNED = (5, 6, 7, 8)
# The gradient error's filters have this size, and borders are not padded.
SMALLEST_MASK = 2 * scores.RADIUS + 1


class Pair(NamedTuple):
    """The files of a photo and its mask; self-supervision has photos without masks."""
    stem: str
    image: str
    mask: Optional[str]

    def files(self) -> List[str]:
        """Lists the paths of the pair."""
        return [path for path in (self.image, self.mask) if path is not None]


def find_pairs(dataset_path: str, split: str, skip_bad_pairs: Optional[bool] = None) -> List[Pair]:
    """Lists the pairs of a split, sorted by stem, after reading every file's header.

    A pair is an image and a mask with the same file stem and aspect ratio; either may be JPEG or
    PNG. Every problem goes to standard error, one line for each file.

    Args:
        dataset_path: holds `<split>/image` and `<split>/mask`.
        split: `train`, `test` or another folder's name.
        skip_bad_pairs: skip bad files; None where a program has no such flag.

    Raises:
        UserError: for a missing or empty split, and for any bad pair unless they are skipped.
    """
    folder = os.path.join(dataset_path, split)
    images, masks = (_files_by_stem(dataset_path, split, kind) for kind in ('image', 'mask'))
    pairs, problems = _match(images, masks)
    return _checked(pairs, problems, folder, skip_bad_pairs)


def find_sets(dataset_paths: Sequence[str], split: str,
              skip_bad_pairs: Optional[bool] = None) -> Dict[str, List[Pair]]:
    """Lists the pairs of a split in several data sets, as `find_pairs` does; by `set_names`.

    Standard error says what lies beside the photos and is not read.

    Raises:
        UserError: if one of the sets is bad, or named twice.
    """
    sets = {name: find_pairs(path, split, skip_bad_pairs)
            for name, path in zip(set_names(dataset_paths), dataset_paths)}
    for path in dataset_paths:
        note_unread(os.path.join(path, split, 'image'),
                    'scripts/prepare_dataset.py folder converts most of them')
    return sets


def note_unread(folder: str, advice: str) -> None:
    """Says how many subfolders and pictures of other types a folder of photos has, if any."""
    unread = [name for name in sorted(os.listdir(folder))
              if not name.startswith('.') and not is_picture(name) and
              (name.lower().endswith(PHOTOS + OTHER_PICTURES) or
               os.path.isdir(os.path.join(folder, name)))]
    if unread:
        print(f'{folder}: ignoring {len(unread)} subfolders or pictures of other types, such as '
              f'{unread[0]}; {advice}', file=sys.stderr)


def find_clips(folder: str, skip_bad_pairs: Optional[bool] = None) -> Dict[str, List[Pair]]:
    """Lists the frames of clips, `<folder>/<clip>/{image,mask}`, in their order, by clip.

    Raises:
        UserError: for a folder without clips, and for a bad frame.
    """
    try:
        names = [name for name in sorted(os.listdir(folder)) if not name.endswith('.partial') and
                 os.path.isdir(os.path.join(folder, name, 'image'))]
    except OSError as error:
        raise UserError(f'--dataset_path {folder}: cannot be read as a folder ({error.strerror})')
    if not names:
        raise UserError(f'--dataset_path {folder}: holds no clips, folders with image and mask in '
                        f'them; leave out --clips for a data set')
    return {name: sorted(find_pairs(folder, name, skip_bad_pairs),
                         key=lambda pair: frame_order(pair.stem)) for name in names}


def frame_order(stem: str) -> List[Tuple[int, str]]:
    """Returns a key to sort frames by: frame 10 follows frame 9, with leading zeros or without."""
    return [(int(part), '') if part.isdecimal() else (-1, part)
            for part in re.split(r'(\d+)', stem)]


def set_names(dataset_paths: Sequence[str]) -> List[str]:
    """Returns the shortest endings of the paths that tell the data sets apart.

    Raises:
        UserError: for a set that is named twice.
    """
    paths = [os.path.abspath(path) for path in dataset_paths]
    for path in paths:
        if paths.count(path) > 1:
            raise UserError(f'--dataset_path {path}: is given twice; give it once')
    parts = [path.split(os.sep) for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = [os.sep.join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def hold_out(pairs: List[Pair], fraction: Optional[float]) -> Tuple[List[Pair], List[Pair]]:
    """Divides pairs into those to train on and those to validate on.

    A pair's name alone decides, so a set may grow without moving any pair.

    Args:
        pairs: of one data set.
        fraction: share to validate on; None is 0.

    Returns:
        the pairs to train on, and the others.

    Raises:
        UserError: if either part is empty.
    """
    if fraction is None:
        return pairs, []
    held = [drawn_share(f'validation {pair.stem}') < fraction for pair in pairs]
    if all(held) or not any(held):
        raise UserError(f'--validation_fraction {fraction}: leaves nothing to '
                        f'{"train" if all(held) else "validate"} on of the {len(pairs)} pairs in '
                        f'{folder_of(pairs)}; choose another fraction')
    return ([pair for pair, out in zip(pairs, held) if not out],
            [pair for pair, out in zip(pairs, held) if out])


def drawn_share(text: str) -> float:
    """Draws a number in [0, 1) from a text, the same one on every machine."""
    return int.from_bytes(hashlib.sha1(os.fsencode(text)).digest()[:8], 'big') / 2 ** 64


def find_photos(folder: str, skip_bad_pairs: Optional[bool] = None,
                flag: str = '--dataset_path') -> List[Pair]:
    """Lists the photos in a folder, sorted by name, after reading every file's header.

    Args:
        folder: holds photos, without masks.
        skip_bad_pairs: skip bad files; see `find_pairs`.
        flag: the flag that the folder came with, for messages.

    Raises:
        UserError: for a folder without photos, and for any bad photo unless they are skipped.
    """
    try:
        names = _picture_names(folder)
    except FileNotFoundError:
        raise UserError(f'{flag} {folder}: no such folder')
    except OSError as error:
        raise UserError(f'{flag} {folder}: cannot be read as a folder ({error.strerror})')
    if not names:
        raise UserError(f'{flag} {folder}: holds no photos; put {", ".join(EXTENSIONS)} files '
                        f'there, or name another folder')
    photos = [Pair(os.path.splitext(name)[0], os.path.join(folder, name), None) for name in names]
    return _checked(photos, [], folder, skip_bad_pairs)


def describe(sets: Mapping[str, List[Pair]]) -> Dict[str, Dict[str, Any]]:
    """Returns the number of pairs and a fingerprint of each data set by its name.

    The fingerprint covers names and sizes of all files and is the same on every machine.
    """
    described = {}
    for name, pairs in sets.items():
        digest = hashlib.sha256()
        for pair in pairs:
            sizes = [os.path.getsize(path) for path in pair.files()]
            digest.update(os.fsencode(f'{pair.stem} {sizes}\n'))
        described[name] = {'pairs': len(pairs), 'fingerprint': digest.hexdigest()[:16]}
    return described


def folder_of(pairs: List[Pair]) -> str:
    """Returns the folder that a set's pairs come from: the split's, or that of the photos."""
    folder = os.path.dirname(pairs[0].image)
    return folder if pairs[0].mask is None else os.path.dirname(folder)


def _checked(pairs: List[Pair], problems: List[str], folder: str,
             skip_bad_pairs: Optional[bool]) -> List[Pair]:
    """Returns the pairs with good headers; reports the others and earlier problems."""
    with ThreadPool(8) as pool:
        checks = tqdm(pool.imap(_check_headers, pairs), total=len(pairs), leave=False,
                      desc='checking ' + os.path.basename(folder), unit=' pairs', disable=None)
        found = list(zip(pairs, checks))
    problems += [problem for _, problem in found if problem]
    good = [pair for pair, problem in found if not problem]
    report_problems(problems, len(good), folder, skip_bad_pairs)
    return good


def report_problems(problems: List[str], good: int, folder: str,
                    skip_bad_pairs: Optional[bool]) -> None:
    """Writes problems to standard error, one line each, and decides whether to continue.

    Args:
        problems: one line for each bad file or pair.
        good: number of good pairs.
        folder: where they come from.
        skip_bad_pairs: skip bad files; see `find_pairs`.

    Raises:
        UserError: if there are problems that may not be skipped, or no good pair is left.
    """
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems and not skip_bad_pairs:
        advice = ('repair or remove them' if skip_bad_pairs is None else
                  f'repair them, or pass --skip_bad_pairs to go on with the {good} good ones')
        raise UserError(f'{folder}: {len(problems)} bad files or pairs, listed above; {advice}')
    if problems and not good:
        raise UserError(f'{folder}: none of its files can be used; name another folder')
    if not good:
        raise UserError(f'{folder}: no image/mask pairs; put photos into its image folder and '
                        f'masks of the same names into its mask folder. scripts/prepare_dataset.py '
                        f'folder converts other layouts to this one')
    if problems:
        print(f'{folder}: skipped {len(problems)} bad files or pairs, going on with {good} pairs',
              file=sys.stderr)


def _files_by_stem(dataset_path: str, split: str, kind: str) -> Dict[str, List[str]]:
    folder = os.path.join(dataset_path, split, kind)
    try:
        names = _picture_names(folder)
    except PermissionError:
        raise UserError(f'{folder}: cannot be read; fix its permissions')
    except OSError:
        raise UserError(f'{folder}: no such folder; a dataset holds <split>/image and '
                        f'<split>/mask (--dataset_path, --dataset_split_name)')
    files = defaultdict(list)
    for name in names:
        files[os.path.splitext(name)[0]].append(os.path.join(folder, name))
    return files


def is_picture(name: str) -> bool:
    """Returns whether a file's name is that of a picture, and not a hidden one."""
    return name.lower().endswith(EXTENSIONS) and not name.startswith('.')


def _picture_names(folder: str) -> List[str]:
    return sorted(filter(is_picture, os.listdir(folder)))


def _match(images: Dict[str, List[str]],
           masks: Dict[str, List[str]]) -> Tuple[List[Pair], List[str]]:
    pairs, problems = [], []
    for stem in sorted(set(images) | set(masks)):
        ambiguous = [paths for paths in (images.get(stem, []), masks.get(stem, []))
                     if len(paths) > 1]
        if stem not in masks:
            problems.append(f'{images[stem][0]}: an image without a mask')
        elif stem not in images:
            problems.append(f'{masks[stem][0]}: a mask without an image')
        elif ambiguous:
            problems.extend(f'{" and ".join(paths)}: files with the same stem'
                            for paths in ambiguous)
        else:
            pairs.append(Pair(stem, images[stem][0], masks[stem][0]))
    return pairs, problems


def _check_headers(pair: Pair) -> Optional[str]:
    """Returns the problem with a pair's headers, or None."""
    sizes = []
    for path in pair.files():
        try:
            sizes.append(upright_size(path))
        except UNREADABLE as error:
            return f'{path}: cannot be read ({_first_line(error)})'
    if pair.mask is None:
        return None
    (image_width, image_height), (width, height) = sizes
    if min(width, height) < SMALLEST_MASK:
        return (f'{pair.mask}: {width}×{height} is too small to be measured; both sides need at '
                f'least {SMALLEST_MASK} pixels')
    if not same_aspect(*sizes):
        return (f'{pair.mask}: {width}×{height} is not the aspect ratio of its image, '
                f'{image_width}×{image_height}')
    return None


def upright_size(path: str) -> Tuple[int, int]:
    """Reads a picture's width and height after EXIF's rotation, from its header alone."""
    with open_picture(path) as image:
        turned = orientation(image) in TURNED
        width, height = image.size
    return (height, width) if turned else (width, height)


def same_aspect(image: Tuple[int, int], mask: Tuple[int, int]) -> bool:
    """Returns whether a mask is its image at another scale, up to rounding to whole pixels."""
    (image_width, image_height), (width, height) = image, mask
    return (abs(width - image_width * height / image_height) <= 1 or
            abs(height - image_height * width / image_width) <= 1)


def _first_line(error: Exception) -> str:
    return str(error).split('\n')[0] or type(error).__name__
