"""The losses: `base` is shared, and each paper has a file.

    terms = losses.matting_losses(images, logits, end_points.get('aux_logits'), alpha_gt)
    total = losses.weighted_sum(terms, dict.fromkeys(terms, 1.0))
"""

from mmnet.losses.base import (Batch, Objective, Run, alpha_loss, compositional_loss,
                               foreground_alpha, foreground_logit, kl_loss, weight_decay,
                               weighted_sum)
from mmnet.losses.distillation import distillation_loss
from mmnet.losses.mmnet import auxiliary_loss, gradient_loss, matting_losses

__all__ = ['Batch', 'Objective', 'Run', 'alpha_loss', 'auxiliary_loss', 'compositional_loss',
           'distillation_loss', 'foreground_alpha', 'foreground_logit', 'gradient_loss', 'kl_loss',
           'matting_losses', 'weight_decay', 'weighted_sum']
