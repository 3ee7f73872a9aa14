"""The layouts of public portrait sets: where each keeps its photos, its masks and its splits.

Each layout is a function `(source) -> Layout`, listed in `LAYOUTS` by the set's name.
"""

import base64
import dataclasses
import io
import json
import os
import re
import zlib
from collections import Counter
from functools import partial
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

import cv2
import numpy as np
import scipy.io
from PIL import Image

from mmnet import pretrained
from mmnet.data import decode
from mmnet.errors import UserError

# Names the photos of Clothing Co-Parsing that the networks in `mmnet/pretrained` are tested on.
CCP_TEST = os.path.join(pretrained.FOLDER, 'ccp_test.txt')
# `upper_body` leaves this share of a person's height free above the head.
ABOVE_HEAD = 0.06
# Supervisely's tag of photos with people who are not marked.
UNMARKED = 'not-marked-people'
# `Item.read_mask` raises these, besides `decode.UNREADABLE`, for files of another kind.
UNREADABLE = (KeyError, TypeError, AttributeError, IndexError, OverflowError, MemoryError,
              zlib.error, cv2.error)


@dataclasses.dataclass(frozen=True)
class Item:
    """A photo with its mask, not read yet.

    Attributes:
        stem: the name that both files will have.
        image: path of the photo.
        read_mask: returns uint8 `[H, W]`, 255 the person.
        split: the set's own split, if it has one.
        full_length: whether people are shown from head to foot; `upper_body` makes portraits.
    """
    stem: str
    image: str
    read_mask: Callable[[], np.ndarray]
    split: Optional[str] = None
    full_length: bool = False


@dataclasses.dataclass(frozen=True)
class Layout:
    """The contents of a set: its pairs, and each problem as a path and a reason."""
    items: List[Item]
    problems: List[Tuple[str, str]]


class Files(NamedTuple):
    """Files by name, and those that share a name as problems."""
    paths: Dict[str, str]
    problems: List[Tuple[str, str]]


def aisegment(source: str) -> Layout:
    """Lists AISegment's Matting Human Datasets: 34,427 photos of 600×800 and their RGBA cut-outs.

        clip_img/1803151818/clip_00000000/1803151818-00000003.jpg
        matting/1803151818/matting_00000000/1803151818-00000003.png
    """
    photos = _by_stem(os.path.join(source, 'clip_img'), decode.PHOTOS)
    cutouts = _by_stem(os.path.join(source, 'matting'), ('.png',))
    return _paired(photos, cutouts)


def eg1800(source: str) -> Layout:
    """Lists EG1800 (Shen et al. 2016, "Automatic Portrait Segmentation for Image Stylization").

        images_data_crop/00001.jpg      or the photos anywhere else
        images_mask/00001_mask.mat      a MATLAB matrix `mask` of 0 and 1
        trainlist.mat, testlist.mat     numbers, in a matrix of the file's name
    """
    def part(name: str, extensions: Tuple[str, ...]) -> Files:
        # The set also has its photos before they were cropped, under the same names.
        place = os.path.join(source, name)
        return _by_stem(place if os.path.isdir(place) else source, extensions)

    photos, matrices = part('images_data_crop', decode.PHOTOS), part('images_mask', ('.mat',))
    masks = Files({re.sub('_mask$', '', stem): path for stem, path in matrices.paths.items()
                   if stem.endswith('_mask')},
                  [each for each in matrices.problems if each[0].endswith('_mask.mat')])
    lists = _by_stem(source, ('.mat',))
    for path, reason in lists.problems:
        if os.path.basename(path) in ('trainlist.mat', 'testlist.mat'):
            raise UserError(f'{path}: {reason}; keep one of them')
    splits: Dict[str, str] = {}
    for split in ('train', 'test'):
        name = split + 'list'
        if name in lists.paths:
            splits.update(dict.fromkeys(_read_numbers(lists.paths[name], name), split))
    layout = _paired(photos, masks, read_mask=partial(_read_labels, name='mask'))
    if not splits:
        return layout
    listed = [dataclasses.replace(item, split=splits[item.stem]) for item in layout.items
              if item.stem in splits]
    return Layout(listed, layout.problems + [
        (item.image, 'in neither trainlist.mat nor testlist.mat') for item in layout.items
        if item.stem not in splits])


def p3m(source: str) -> Layout:
    """Lists P3M-10k: 9,421 photos with blurred faces to train on, two sets of 500 to test on.

        train/blurred_image/p_00a1.jpg                          train/mask/p_00a1.png
        validation/P3M-500-P/blurred_image/p_0b.jpg             …/P3M-500-P/mask/p_0b.png
        validation/P3M-500-NP/original_image/n_c.jpg            …/P3M-500-NP/mask/n_c.png

    The splits are `train`, `test` (P3M-500-P, faces blurred) and `test_np` (faces unblurred).
    """
    parts = [_paired(_by_stem(os.path.join(source, folder, images), decode.PHOTOS),
                     _by_stem(os.path.join(source, folder, 'mask'), decode.PHOTOS), split)
             for folder, images, split in (
                 ('train', 'blurred_image', 'train'),
                 (os.path.join('validation', 'P3M-500-P'), 'blurred_image', 'test'),
                 (os.path.join('validation', 'P3M-500-NP'), 'original_image', 'test_np'))]
    return Layout([item for part in parts for item in part.items],
                  [problem for part in parts for problem in part.problems])


def ccp(source: str) -> Layout:
    """Lists Clothing Co-Parsing (Yang et al. 2014): 1,004 street fashion photos with pixel labels.

        photos/0001.jpg         annotations/pixel-level/0001.mat, with a matrix `groundtruth`

    Every label but 0 is the person. The test photos are those on which none of the pretrained
    networks was trained.
    """
    photos = _by_stem(os.path.join(source, 'photos'), decode.PHOTOS)
    labels = _by_stem(os.path.join(source, 'annotations', 'pixel-level'), ('.mat',))
    photos = photos._replace(paths={stem: path for stem, path in photos.paths.items()
                                    if stem in labels.paths})
    layout = _paired(photos, labels, read_mask=partial(_read_labels, name='groundtruth'))
    with open(CCP_TEST) as file:
        tested = set(file.read().split())
    return Layout([dataclasses.replace(item, full_length=True,
                                       split='test' if item.stem in tested else 'train')
                   for item in layout.items], layout.problems)


def upper_body(mask: np.ndarray) -> Tuple[int, int, int, int]:
    """Finds the upper half of a person, three parts wide and four high.

    Args:
        mask: uint8 `[H, W]`, with a pixel above 127.

    Returns:
        left, top, right and bottom within the mask, in pixels.
    """
    height, width = mask.shape
    rows = np.flatnonzero((mask > 127).any(axis=1))
    head, foot = rows[0], rows[-1] + 1
    top = max(0, int(round(head - ABOVE_HEAD * (foot - head))))
    bottom = min(height, max(top + 1, int(round(head + 0.5 * (foot - head)))))
    columns = np.flatnonzero((mask[top:bottom] > 127).sum(axis=0))
    wide = min(width, int(round(0.75 * (bottom - top))))
    centre = int(round(columns.mean())) if len(columns) else width // 2
    left = int(np.clip(centre - wide // 2, 0, width - wide))
    return left, top, left + max(1, wide), bottom


def ppm100(source: str) -> Layout:
    """Lists PPM-100, MODNet's benchmark: 100 photos, all of them to test on.

        image/10004325765_0e94fb01fc_o.jpg      matte/10004325765_0e94fb01fc_o.jpg
    """
    return _paired(_by_stem(os.path.join(source, 'image'), decode.PHOTOS),
                   _by_stem(os.path.join(source, 'matte'), decode.PHOTOS), 'test')


def supervisely(source: str) -> Layout:
    """Lists Supervisely Person: people marked with bitmaps and polygons.

        ds1/img/pexels-photo-1.png      ds1/ann/pexels-photo-1.png.json, or without .png
    """
    photos, annotations, problems = [], {}, []
    for folder in sorted(_folders_named(source, 'img')):
        dataset = os.path.dirname(folder)
        for name in sorted(os.listdir(folder)):
            stem, extension = os.path.splitext(name)
            if extension.lower() not in decode.PHOTOS or name.startswith('.'):
                continue
            image = os.path.join(folder, name)
            there = [path for path in (os.path.join(dataset, 'ann', each + '.json')
                                       for each in (name, stem)) if os.path.exists(path)]
            if there:
                # Photos of two of its datasets may share a name.
                place = f'{os.path.basename(dataset)}_{stem}'
                photos.append((place, image))
                annotations[place] = there[0]
            else:
                problems.append((image, 'an image without an annotation'))
    if not photos:
        raise UserError(f'{source}: holds no img folder with an ann folder beside it')
    named = _named(photos)
    return Layout([Item(place, image, partial(_read_annotation, annotations[place]))
                   for place, image in named.paths.items()], problems + named.problems)


def folder(source: str, image_folder: str = 'image', mask_folder: str = 'mask',
           mask_suffix: str = '') -> Layout:
    """Lists any two folders: photos, and masks at the same places with the same names.

    `image/a/1.jpg` belongs to `mask/a/1.png`, and to no other `1.png`. Both become `a_1`.

    Args:
        source: holds both folders.
        image_folder, mask_folder: their names.
        mask_suffix: ending of the masks' names, such as `_mask`. With one, both folders may be the
            same.

    Raises:
        UserError: for a folder that does not exist, and if there are masks, but none of a photo.
    """
    photos, masks = (_by_place(os.path.join(source, name)) for name in (image_folder, mask_folder))
    names = list(masks.paths)
    if mask_suffix:
        masks = masks._replace(paths={
            place[:-len(mask_suffix)]: path for place, path in masks.paths.items()
            if place.endswith(mask_suffix)})
    if os.path.normpath(image_folder) == os.path.normpath(mask_folder):
        if not mask_suffix:
            raise UserError(f'--mask_folder {mask_folder}: holds the photos, too; give the ending '
                            f'of the masks\' names as --mask_suffix')
        photos = photos._replace(paths={place: path for place, path in photos.paths.items()
                                        if not place.endswith(mask_suffix)})
    layout = _paired(photos, masks)
    if photos.paths and names and not layout.items:
        endings = Counter(name[len(photo):] for photo in list(photos.paths)[:100]
                          for name in names if name.startswith(photo) and name != photo)
        advice = (f'masks seem to end in {endings.most_common(1)[0][0]}: give that as '
                  f'--mask_suffix' if endings else 'give masks the names of their photos')
        raise UserError(f'{source}: no photo in {image_folder} has a mask in {mask_folder}; '
                        f'{advice}')
    return layout


LAYOUTS: Dict[str, Callable[..., Layout]] = {
    'aisegment': aisegment, 'ccp': ccp, 'eg1800': eg1800, 'p3m': p3m, 'ppm100': ppm100,
    'supervisely': supervisely, 'folder': folder}


def _files(folder: str, extensions: Tuple[str, ...]) -> Iterator[str]:
    """Yields the paths of the files in a folder and its subfolders, in order.

    Raises:
        UserError: if the folder does not exist.
    """
    if not os.path.isdir(folder):
        raise UserError(f'{folder}: no such folder; --help says what each set\'s SOURCE is')
    seen: Set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        # A link may lead back to a folder above it.
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        for name in sorted(names):
            # Archives made on a Mac hold a `._` file beside many others.
            if name.lower().endswith(extensions) and not name.startswith('.'):
                yield os.path.join(parent, name)


def _by_stem(folder: str, extensions: Tuple[str, ...]) -> Files:
    """Lists the files in a folder and its subfolders by stem."""
    return _named((os.path.splitext(os.path.basename(path))[0], path)
                  for path in _files(folder, extensions))


def _by_place(folder: str) -> Files:
    """Lists the pictures in a folder by relative path, `a_1` for `a/1.jpg`."""
    return _named((os.path.splitext(os.path.relpath(path, folder))[0].replace(os.sep, '_'), path)
                  for path in _files(folder, decode.PHOTOS))


def _named(files: Iterable[Tuple[str, str]]) -> Files:
    """Collects files by name; those that share one become problems."""
    found: Dict[str, List[str]] = {}
    for name, path in files:
        found.setdefault(name, []).append(path)
    problems = [(path, f'has the name of another ({paths[0] if path != paths[0] else paths[1]})')
                for paths in found.values() if len(paths) > 1 for path in paths]
    return Files({name: paths[0] for name, paths in found.items() if len(paths) == 1}, problems)


def _folders_named(source: str, wanted: str) -> Iterator[str]:
    for parent, folders, _ in os.walk(source):
        if wanted in folders:
            yield os.path.join(parent, wanted)


def _paired(photos: Files, masks: Files, split: Optional[str] = None,
            read_mask: Callable[[str], np.ndarray] = partial(decode.read_mask, labels=True)
            ) -> Layout:
    """Pairs files by name; a file without a partner is a problem."""
    images, truths = photos.paths, masks.paths
    items = [Item(name, images[name], partial(read_mask, truths[name]), split)
             for name in sorted({*images} & {*truths})]
    problems = [(images[name], 'an image without a mask')
                for name in sorted({*images} - {*truths})]
    problems += [(truths[name], 'a mask without an image')
                 for name in sorted({*truths} - {*images})]
    return Layout(items, problems + photos.problems + masks.problems)


def _matrix(path: str, name: str) -> np.ndarray:
    """Reads a variable of a MATLAB file.

    Raises:
        ValueError: if it cannot be read.
    """
    try:
        return np.asarray(scipy.io.loadmat(path)[name])
    # SciPy does not check its input; a damaged file may raise anything.
    except Exception as error:
        raise ValueError(f'no MATLAB file with a matrix {name}: {error}')


def _read_numbers(path: str, name: str) -> List[str]:
    """Reads the stems of the photos that a list names."""
    try:
        return [f'{int(number):05}' for number in _matrix(path, name).ravel()]
    except ValueError as error:
        raise UserError(f'{path}: cannot be read as a list of numbers ({error})')


def _read_labels(path: str, name: str) -> np.ndarray:
    return (_matrix(path, name) > 0).astype(np.uint8) * 255


def _read_annotation(path: str) -> np.ndarray:
    """Draws the union of the people in a Supervisely annotation, uint8 `[H, W]`.

    Raises:
        ValueError: if nobody is marked, or not everybody.
    """
    with open(path) as file:
        annotation = json.load(file)
    if UNMARKED in (tag.get('name') if isinstance(tag, dict) else tag
                    for tag in annotation.get('tags', [])):
        raise ValueError('some people in it are not marked')
    mask = np.zeros([annotation['size']['height'], annotation['size']['width']], np.uint8)
    people = [each for each in annotation['objects'] if each['classTitle'].startswith('person')]
    if not people:
        raise ValueError('nobody is marked in it')
    for person in people:
        if person.get('bitmap'):
            _draw_bitmap(mask, person['bitmap'])
        else:
            _draw_polygon(mask, person['points'])
    return mask


def _draw_bitmap(mask: np.ndarray, bitmap: Dict) -> None:
    """Draws a PNG, compressed once more and in base 64; it may reach over the border."""
    with Image.open(io.BytesIO(zlib.decompress(base64.b64decode(bitmap['data'])))) as image:
        drawn = np.asarray(decode.opacity_of(image) or image.convert('L'))
    x, y = bitmap['origin']
    drawn = drawn[max(0, -y):, max(0, -x):]
    part = mask[max(0, y):, max(0, x):][:drawn.shape[0], :drawn.shape[1]]
    part[drawn[:part.shape[0], :part.shape[1]] > 0] = 255


def _draw_polygon(mask: np.ndarray, points: Dict) -> None:
    """Draws an outline and cuts out the holes in it."""
    if len(points['exterior']) < 3:
        raise ValueError('a person is marked without an outline')
    drawn = np.zeros_like(mask)
    cv2.fillPoly(drawn, [np.array(points['exterior'], np.int32)], 255)
    for hole in points['interior']:
        cv2.fillPoly(drawn, [np.array(hole, np.int32)], 0)
    np.maximum(mask, drawn, out=mask)
