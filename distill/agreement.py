"""Which faces several looks at one photo agree on."""

import numpy as np

from ssd.boxes import iou

SAME_FACE = 0.5  # least overlap (IoU) of two boxes of one face


def pairs(a, b, *, iou_threshold=SAME_FACE):
    """The boxes of two lists that are one face, each in one pair at most, best overlap first.

    Args:
        a: [m, 4], `[ymin, xmin, ymax, xmax]`.
        b: [n, 4], likewise.
        iou_threshold: Least IoU of a pair.

    Returns:
        int [pairs, 2], an index into `a` and one into `b`.

    Example:
        >>> pairs([[0, 0, 2, 2]], [[0, 0, 2, 3], [0, 0, 2, 2]])
        array([[0, 1]])
    """
    table = iou(a, b)
    found = []
    while table.size:
        i, j = np.unravel_index(np.argmax(table), table.shape)
        if table[i, j] < iou_threshold:
            break
        table[i], table[:, j] = -1, -1
        found.append((i, j))
    return np.array(found, int).reshape(-1, 2)


def merge(looks, *, iou_threshold=SAME_FACE):
    """The faces of several looks at one photo, and which of them every look sees.

    Args:
        looks: For each look (boxes [faces, 4], scores [faces]) in the same coordinates.
        iou_threshold: Least IoU of two boxes of one face.

    Returns:
        (boxes float32 [faces, 4], scores float32 [faces], agreed bool [faces]). A face that
        several looks see has their mean box and mean score.

    Example:
        >>> first = [[0, 0, 10, 10], [20, 20, 30, 30]], [1.0, 0.9]
        >>> second = [[0, 0, 10, 11]], [0.98]
        >>> boxes, scores, agreed = merge([first, second])
        >>> boxes[0].tolist(), agreed.tolist()
        ([0.0, 0.0, 10.0, 10.5], [True, False])
    """
    boxes = np.zeros([0, 4], np.float32)
    scores = np.zeros([0], np.float32)
    seen = np.zeros([0], int)
    for more_boxes, more_scores in looks:
        more_boxes = np.asarray(more_boxes, np.float32).reshape(-1, 4)
        more_scores = np.asarray(more_scores, np.float32)
        i, j = pairs(boxes, more_boxes, iou_threshold=iou_threshold).T
        share = 1 / (seen[i] + 1)
        boxes[i] += (more_boxes[j] - boxes[i]) * share[:, None]
        scores[i] += (more_scores[j] - scores[i]) * share
        seen[i] += 1
        new = np.setdiff1d(np.arange(len(more_boxes)), j)
        boxes = np.concatenate([boxes, more_boxes[new]])
        scores = np.concatenate([scores, more_scores[new]])
        seen = np.concatenate([seen, np.ones(len(new), int)])
    return boxes, scores, seen == len(looks)
